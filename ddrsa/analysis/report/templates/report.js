"use strict";
// The table of runs: sorted by its headings, filtered by the form above it, a page of rows at a time.
(() => {
  const { columns, data, sortedBy, descending, pageRows } = JSON.parse(document.getElementById("run-data").textContent);
  const find = (id) => document.getElementById(id);
  const table = find("run-table"), body = table.tBodies[0], form = find("filters"), search = find("search");
  const headings = [...table.tHead.rows[0].cells], selects = [...form.querySelectorAll("select")];
  const count = data[0].length;
  const words = Array.from({ length: count }, (_, row) =>
    `\n${columns.map((column, i) => `${column.label}=${data[i][row] ?? ""}`).join("\n").toLowerCase()}\n`);
  const state = { column: sortedBy, descending, page: 0, rows: [] };

  const before = new Intl.Collator("en", { numeric: true }).compare;
  function compare(values) {
    const sign = state.descending ? -1 : 1;
    // What has no value comes last, in either direction; of equals the first stays first.
    return (a, b) => {
      const [x, y] = [values[a], values[b]];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      const order = typeof x === "number" && typeof y === "number" ? x - y : before(String(x), String(y));
      return sign * order || a - b;
    };
  }

  function update(page) {
    // A word like seed=3 means just that, and not seed=30.
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean)
      .map((word) => (word.includes("=") ? `\n${word}\n` : word));
    const chosen = selects.filter((select) => select.value !== "");
    state.rows = [];
    for (let row = 0; row < count; row++) {
      if (chosen.every((select) => String(data[select.dataset.column][row] ?? "") === select.value) &&
          wanted.every((word) => words[row].includes(word))) state.rows.push(row);
    }
    if (state.column !== null) state.rows.sort(compare(data[state.column]));
    show(page);
  }

  function shortName(directory) {
    const name = directory.slice(directory.lastIndexOf("/") + 1);
    return /_([0-9a-f]{8})$/.exec(name)?.[1] ?? name;
  }

  function cell(column, value) {
    if (column.kind !== "link") {
      const element = document.createElement("td");
      element.className = column.kind;
      element.textContent = value ?? "–";
      return element;
    }
    const element = document.createElement("th"), link = document.createElement("a");
    element.scope = "row";
    link.href = (value.startsWith("/") ? "file://" : "") + value.split("/").map(encodeURIComponent).join("/") + "/";
    link.title = value;
    link.textContent = shortName(value);
    element.append(link);
    return element;
  }

  function show(page) {
    const pages = Math.max(1, Math.ceil(state.rows.length / pageRows));
    state.page = Math.min(Math.max(page, 0), pages - 1);
    const first = state.page * pageRows, shown = state.rows.slice(first, first + pageRows);
    body.replaceChildren(...shown.map((row) => {
      const line = document.createElement("tr");
      line.append(...columns.map((column, i) => cell(column, data[i][row])));
      return line;
    }));
    headings.forEach((heading, i) => {
      if (i === state.column) heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    const range = shown.length ? `, ${first + 1} to ${first + shown.length} are shown` : "";
    find("count").textContent = `${state.rows.length} of ${count} runs${range}`;
    find("page").textContent = `page ${state.page + 1} of ${pages}`;
    find("pages").hidden = pages === 1;
    find("previous").disabled = state.page === 0;
    find("next").disabled = state.page === pages - 1;
  }

  headings.forEach((heading, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => {
      state.descending = state.column === i && !state.descending;
      state.column = i;
      update(0);
    });
    heading.replaceChildren(button);
  });
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => update(0), 120); });
  form.addEventListener("change", () => update(0));
  form.addEventListener("reset", () => setTimeout(() => update(0)));
  form.addEventListener("submit", (event) => { event.preventDefault(); update(0); });
  const turn = (by) => { show(state.page + by); table.parentElement.scrollTop = 0; };
  find("previous").addEventListener("click", () => turn(-1));
  find("next").addEventListener("click", () => turn(1));
  form.hidden = false;
  find("no-script").hidden = true;
  update(0);
})();
