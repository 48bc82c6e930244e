// The table of claims sorts by its headings (by a list on a phone) and filters; links elsewhere on the page set the filter.
// What is chosen stands in the address, so that a view can be kept and sent: ?verdict=fails&kind=claim#claims
(() => {
  const form = document.getElementById("filter");
  const body = document.querySelector(".claims tbody");
  const rows = [...body.rows];
  const headings = [...document.querySelectorAll(".claims th[data-sort]")];
  const verdicts = [...form.elements.verdict.options].map((option) => option.value);
  const number = (text) => (text === "" ? NaN : Number(text));
  const keys = {
    order: (row) => number(row.dataset.order),
    claim: (row) => row.querySelector("p").textContent,
    measured: (row) => number(row.dataset.measured),
    expected: (row) => number(row.dataset.expected),
    verdict: (row) => verdicts.indexOf(row.dataset.verdict),
  };
  const lists = ["verdict", "kind", "paper", "topic", "figure"];
  const fields = [...lists, "text", "sort"];
  const first = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
  let down = false;

  const compare = (one, other) => {
    const [a, b] = [one, other].map(keys[form.elements.sort.value]);
    const absent = Number.isNaN(a) - Number.isNaN(b); // what was not measured comes last in both directions
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return absent || (down ? -order : order) || number(one.dataset.order) - number(other.dataset.order);
  };

  const fits = (row) =>
    lists.every((name) => ["", row.dataset[name]].includes(form.elements[name].value)) &&
    row.textContent.toLowerCase().includes(form.elements.text.value.trim().toLowerCase());

  const show = () => {
    rows.forEach((row) => { row.hidden = !fits(row); });
    body.append(...[...rows].sort(compare));
    headings.forEach((heading) => {
      const chosen = heading.dataset.sort === form.elements.sort.value;
      heading.setAttribute("aria-sort", chosen ? (down ? "descending" : "ascending") : "none");
    });
    const shown = rows.filter((row) => !row.hidden).length;
    form.elements.count.textContent = `${shown} of ${rows.length} claims`;
    document.getElementById("none").hidden = shown > 0;
  };

  // Only what differs from the first view is written; an address that names no known value of a list leaves it as it is.
  const keep = () => {
    const query = new URLSearchParams();
    fields.forEach((name) => { if (form.elements[name].value !== first[name]) query.set(name, form.elements[name].value); });
    if (down) query.set("down", "1");
    const address = new URL(location);
    address.search = query;
    try { history.replaceState(null, "", address); } catch (refused) { /* some browsers keep a file's address as it is */ }
  };
  const recall = () => {
    const query = new URLSearchParams(location.search);
    fields.forEach((name) => {
      const field = form.elements[name];
      const known = name === "text" || [...field.options].some((option) => option.value === query.get(name));
      if (query.has(name) && known) field.value = query.get(name);
    });
    down = query.get("down") === "1";
  };
  const update = () => { show(); keep(); };

  headings.forEach((heading) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      down = form.elements.sort.value === heading.dataset.sort && !down;
      form.elements.sort.value = heading.dataset.sort;
      update();
    });
  });

  document.querySelectorAll('a[href="#claims"][data-verdict], a[href="#claims"][data-figure], a[href="#claims"][data-topic]').forEach((link) => {
    link.addEventListener("click", () => {
      form.elements.text.value = "";
      lists.forEach((name) => { form.elements[name].value = link.dataset[name] || ""; });
      update();
    });
  });

  form.addEventListener("input", (event) => { if (event.target.name === "sort") down = false; update(); });
  form.addEventListener("reset", () => { down = false; setTimeout(update); });
  form.elements.why.addEventListener("click", () => {
    const open = form.elements.why.getAttribute("aria-pressed") !== "true";
    form.elements.why.setAttribute("aria-pressed", open);
    body.querySelectorAll("details").forEach((each) => { each.open = open; });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  recall();
  show();
})();
