"use strict";
// A table of runs: sorted by its headings, filtered by the form above it, a page of rows at a time.
// pageRows: of a page. sortedBy: the key of the column at first, or null. fill(element, column, value, row): makes the
// content of a cell that is empty, or another's. changed(): called when other rows are chosen.
function runTable({ pageRows, sortedBy, descending, fill, changed = () => {} }) {
  const find = (id) => document.getElementById(id);
  const table = find("run-table"), body = table.tBodies[0], form = find("filters"), search = find("search");
  const state = { column: sortedBy, descending, page: 0, rows: [], columns: [], data: [], words: [] };
  const isHead = (column) => column.kind === "link" || column.kind === "run";

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

  function wordsOf(row) {
    state.words[row] ??=
      `\n${state.columns.map((column, i) => `${column.label}=${state.data[i][row] ?? ""}`).join("\n").toLowerCase()}\n`;
    return state.words[row];
  }

  function update(page) {
    // A word like seed=3 means just that, and not seed=30.
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean)
      .map((word) => (word.includes("=") ? `\n${word}\n` : word));
    const place = (key) => state.columns.findIndex((column) => column.key === key);
    const chosen = [...form.querySelectorAll("select")].filter((select) => select.value !== "")
      .map((select) => [state.data[place(select.dataset.column)], select.value]);
    const count = state.data[0]?.length ?? 0;
    state.rows = [];
    for (let row = 0; row < count; row++) {
      if (chosen.every(([values, value]) => String(values?.[row] ?? "") === value) &&
          wanted.every((word) => wordsOf(row).includes(word))) state.rows.push(row);
    }
    const sorted = place(state.column);
    if (sorted >= 0) state.rows.sort(compare(state.data[sorted]));
    show(page);
    changed();
  }

  function line(old) {
    if (old !== undefined) return old;
    const made = document.createElement("tr");
    made.append(...state.columns.map((column) => {
      const cell = document.createElement(isHead(column) ? "th" : "td");
      if (isHead(column)) cell.scope = "row";
      else cell.className = column.kind;
      return cell;
    }));
    body.append(made);
    return made;
  }

  function show(page) {
    const { columns, data, rows } = state;
    const pages = Math.max(1, Math.ceil(rows.length / pageRows));
    state.page = Math.min(Math.max(page, 0), pages - 1);
    const first = state.page * pageRows, shown = rows.slice(first, first + pageRows);
    // Lines are kept, so that what has the focus keeps it while numbers change.
    while (body.rows.length > shown.length) body.lastElementChild.remove();
    shown.forEach((row, place) => {
      const cells = line(body.rows[place]).cells;
      columns.forEach((column, i) => fill(cells[i], column, data[i][row], row));
    });
    [...table.tHead.rows[0].cells].forEach((heading, i) => {
      if (columns[i].key === state.column) heading.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    const range = shown.length ? `, ${first + 1} to ${first + shown.length} are shown` : "";
    setText(find("count"), `${rows.length} of ${data[0]?.length ?? 0} runs${range}`);
    setText(find("page"), `page ${state.page + 1} of ${pages}`);
    find("pages").hidden = pages === 1;
    find("previous").disabled = state.page === 0;
    find("next").disabled = state.page === pages - 1;
  }

  function headings() {
    table.tHead.rows[0].replaceChildren(...state.columns.map((column) => {
      const heading = document.createElement("th"), button = document.createElement("button");
      heading.scope = "col";
      heading.className = column.kind;
      button.type = "button";
      button.textContent = column.label;
      button.addEventListener("click", () => {
        state.descending = state.column === column.key && !state.descending;
        state.column = column.key;
        update(0);
      });
      heading.append(button);
      return heading;
    }));
  }

  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => update(0), 120); });
  form.addEventListener("change", () => update(0));
  form.addEventListener("reset", () => setTimeout(() => update(0)));
  form.addEventListener("submit", (event) => { event.preventDefault(); update(0); });
  const turn = (by) => { show(state.page + by); table.parentElement.scrollTop = 0; changed(); };
  find("previous").addEventListener("click", () => turn(-1));
  find("next").addEventListener("click", () => turn(1));

  return {
    // columns: each has key, label and kind. data: for each column its values, run by run.
    set(columns, data) {
      const same = columns.length === state.columns.length &&
        columns.every((column, i) => column.key === state.columns[i].key && column.kind === state.columns[i].kind);
      Object.assign(state, { columns, data, words: [] });
      if (!same) {
        headings();
        body.replaceChildren();
      }
      update(state.page);
    },
    // The numbers of the chosen runs, in their order.
    get rows() { return state.rows; },
  };
}

// A text is written only where it is another: a screen reader would say it again.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
