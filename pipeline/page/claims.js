// The table of claims sorts by its headings (by a list on a phone) and filters; links elsewhere on the page set the filter.
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
  let down = false;

  const compare = (one, other) => {
    const [a, b] = [one, other].map(keys[form.elements.sort.value]);
    const absent = Number.isNaN(a) - Number.isNaN(b); // what was not measured comes last in both directions
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return absent || (down ? -order : order) || number(one.dataset.order) - number(other.dataset.order);
  };

  const fits = (row) =>
    ["verdict", "kind", "paper", "figure"].every((name) => ["", row.dataset[name]].includes(form.elements[name].value)) &&
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

  headings.forEach((heading) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      down = form.elements.sort.value === heading.dataset.sort && !down;
      form.elements.sort.value = heading.dataset.sort;
      show();
    });
  });

  document.querySelectorAll('a[href="#claims"][data-verdict], a[href="#claims"][data-figure]').forEach((link) => {
    link.addEventListener("click", () => {
      form.reset();
      ["verdict", "kind", "paper", "figure"].forEach((name) => { form.elements[name].value = link.dataset[name] || ""; });
      show();
    });
  });

  form.addEventListener("input", (event) => { if (event.target.name === "sort") down = false; show(); });
  form.addEventListener("reset", () => { down = false; setTimeout(show); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  show();
})();
