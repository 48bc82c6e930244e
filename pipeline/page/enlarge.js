// A figure at its own size, in a dialog that scrolls.
(() => {
  const dialog = document.getElementById("large");
  const large = dialog.querySelector("img");
  document.querySelectorAll("[data-enlarge]").forEach((button) => {
    const small = document.getElementById(button.dataset.enlarge).querySelector("img");
    button.hidden = false;
    button.addEventListener("click", () => {
      ["src", "alt"].forEach((name) => { large[name] = small[name]; });
      dialog.showModal();
    });
  });
})();
