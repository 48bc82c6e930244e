// Dark or light as the system says, or as the reader said last; storage may be closed to a page opened from a file.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("theme", value);
      return localStorage.getItem("theme");
    } catch (closed) {
      return null;
    }
  };
  const theme = () => root.dataset.theme || (system.matches ? "dark" : "light");
  if (["dark", "light"].includes(remembered())) root.dataset.theme = remembered();
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = theme() === "dark" ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${button.textContent.toLowerCase()} colours`); };
    button.addEventListener("click", () => { root.dataset.theme = theme() === "dark" ? "light" : "dark"; remembered(root.dataset.theme); name(); });
    system.addEventListener("change", name);
    button.hidden = false;
    name();
  });
})();
