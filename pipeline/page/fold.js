// A link into something folded opens it; so does printing, for all of them.  A button opens or closes the figures at once.
(() => {
  const open = (element) => {
    for (let each = element; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  };
  const follow = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    open(target);
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link) open(document.getElementById(link.hash.slice(1)));
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((each) => { each.open = false; }));
  document.querySelectorAll("[data-unfold]").forEach((button) => {
    const folded = [...document.querySelectorAll(`#${button.dataset.unfold} details`)];
    const all = () => folded.every((each) => each.open);
    const name = () => { button.textContent = all() ? "Close all" : "Open all"; };
    button.hidden = false;
    button.addEventListener("click", () => { const wanted = !all(); folded.forEach((each) => { each.open = wanted; }); name(); });
    folded.forEach((each) => each.addEventListener("toggle", name));
    name();
  });
  follow();
})();
