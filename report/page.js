"use strict";
// Filters, and the table of all results. Without this the page shows everything, and the results are in metrics.csv.
(() => {
  const dimensions = ["constitution", "student", "arm", "seed"];
  const form = document.getElementById("filters");
  const boxes = [...form.querySelectorAll("input")];
  const rowsForm = document.getElementById("results-filters");
  const { columns, rows } = JSON.parse(document.getElementById("results-data").textContent);
  const place = Object.fromEntries(columns.map((name, number) => [name, number]));
  const most = 200;
  let off = {};

  // A row or a column of a table that is headed by an arm goes with it.
  for (const name of document.querySelectorAll("th .arm")) {
    const head = name.closest("th");
    const cells = head.scope === "row" ? [head.parentElement] : [...head.closest("table").rows].map((row) => row.cells[head.cellIndex]);
    for (const cell of cells) cell?.setAttribute("data-arm", name.dataset.of);
  }
  const tagged = document.querySelectorAll(dimensions.map((name) => `[data-${name}]`).join());

  function showTagged() {
    off = Object.fromEntries(dimensions.map((name) => [name, new Set()]));
    for (const box of boxes) if (!box.checked) off[box.name].add(box.value);
    for (const element of tagged)
      element.toggleAttribute("hidden", dimensions.some((name) => off[name].has(element.dataset[name])));
    const hidden = boxes.filter((box) => !box.checked).length;
    document.getElementById("filters-status").textContent = hidden ? `${hidden} of ${boxes.length} hidden` : "all shown";
  }

  // Of all seeds the mean; a level is compared with none.
  const spelt = (row, name) => String(row[place[name]] ?? { seed: "mean", reference: "none" }[name] ?? "–");

  function fillChoices() {
    for (const select of rowsForm.querySelectorAll("select")) {
      const values = [...new Set(rows.map((row) => spelt(row, select.name)))].sort();
      for (const value of values) select.add(new Option(value.replaceAll("_", " "), value));
    }
  }

  function showRows() {
    const wanted = [...rowsForm.querySelectorAll("select")].filter((select) => select.value);
    const found = rows.filter(
      (row) =>
        wanted.every((select) => spelt(row, select.name) === select.value) &&
        dimensions.every((name) => !off[name].has(spelt(row, name))),
    );
    const body = document.getElementById("results-rows");
    body.replaceChildren(
      ...found.slice(0, most).map((row) => {
        const line = document.createElement("tr");
        for (const name of columns) {
          const cell = line.insertCell();
          const value = row[place[name]];
          if (typeof value === "number" && !["seed", "n", "n_seeds"].includes(name)) {
            const data = document.createElement("data");
            data.value = data.title = String(value);
            data.textContent = value.toPrecision(4).replace("-", "−");
            cell.append(data);
          } else {
            cell.textContent = spelt(row, name).replaceAll("_", " ");
            if (typeof value === "string") cell.className = "text";
          }
        }
        return line;
      }),
    );
    const some = found.length > most ? `, the first ${most} shown` : "";
    document.getElementById("results-status").textContent = `${found.length} of ${rows.length} rows${some}`;
  }

  // The address holds what is chosen, behind the place on the page: #measures-poeticism?arm=base,persona
  function read() {
    const [anchor, query = ""] = location.hash.slice(1).split("?");
    const chosen = new URLSearchParams(query);
    for (const box of boxes) box.checked = !chosen.has(box.name) || chosen.get(box.name).split(",").includes(box.value);
    for (const select of rowsForm.querySelectorAll("select")) {
      select.value = chosen.get(`table.${select.name}`) ?? "";
      if (select.selectedIndex < 0) select.value = "";
    }
    show();
    if (query) document.getElementById(anchor)?.scrollIntoView();
  }

  function write() {
    const chosen = new URLSearchParams();
    for (const name of dimensions) {
      const own = boxes.filter((box) => box.name === name);
      if (own.some((box) => !box.checked)) chosen.set(name, own.filter((box) => box.checked).map((box) => box.value).join());
    }
    for (const select of rowsForm.querySelectorAll("select")) if (select.value) chosen.set(`table.${select.name}`, select.value);
    const [anchor] = location.hash.slice(1).split("?");
    const query = String(chosen).replaceAll("%2C", ",");
    history.replaceState(null, "", `${location.href.split("#")[0]}#${anchor}${query && `?${query}`}`);
  }

  function show() {
    showTagged();
    showRows();
  }

  function choose() {
    show();
    write();
  }

  fillChoices();
  for (const part of [form, rowsForm]) {
    part.hidden = false;
    part.addEventListener("change", choose);
    part.addEventListener("submit", (event) => event.preventDefault());
  }
  document.getElementById("results-table").hidden = false;
  document.getElementById("results-unsearched").hidden = true;
  document.getElementById("filters-reset").addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    choose();
  });
  // A link of the contents names a place alone: what is chosen stays.
  addEventListener("hashchange", () => (location.hash.includes("?") ? read() : write()));
  read();
})();
