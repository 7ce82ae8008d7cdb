// One sweep: what has changed since the last look is asked for, and shown.
import { ask } from "./api.js";
import { showAnswer, showAnswerState, showPlots } from "./answer.js";
import { Chart, metricNames, offer } from "./chart.js";
import { bytes, duration, find, keep, make, number, plural, show, text } from "./dom.js";
import { failures } from "./failures.js";
import { showProgress } from "./progress.js";
import { refreshRun } from "./run.js";

const PAGE_ROWS = 50, MOST_CARDS = 24, MOST_CURVES = 20, MOST_CHOICES = 30;
const openRun = (number) => { location.hash = `run=${number}`; };

export class SweepPage {
  constructor(id) {
    this.id = id;
    this.known = { since: -1, generation: -1, answer: -1, instance: "" };
    Object.assign(this, { rows: [], columns: [], answer: {}, running: [] });
    this.table = runTable({ pageRows: PAGE_ROWS, sortedBy: null, descending: false, fill, changed: () => { if (this.ofTable) this.curvesLater(); } });
    this.chart = new Chart(find("chart"));
    find("curve-form").addEventListener("submit", (event) => event.preventDefault());
    find("curve-form").addEventListener("change", () => { this.showCurves(); this.curvesLater(); });
    show(find("empty"), false);  // it may have begun while the list was shown
    show(find("sweeps"), false);
    show(find("sweep"), true);
    show(find("nav"), true);
    show(find("overall"), true);
  }

  async look() {
    const found = await ask("api/sweep", { sweep: this.id, ...this.known });
    if (found.whole) {
      this.columns = found.columns;
      this.rows = [];
    }
    this.rows.length = found.count;
    for (const [number, cells] of found.rows) this.rows[number] = cells;
    if (found.whole || found.rows.length) this.showRows();
    if (found.answer !== null) {
      this.answer = found.answer;
      showAnswer(this.answer);
      showPlots(this.id, this.answer);
    }
    showAnswerState(this.answer, found.answering, found.progress);
    showProgress(found);
    showMachine(found.machine, found.progress.command, found.directory);
    this.known = { since: found.version, generation: found.generation, answer: found.answer?.version ?? this.known.answer, instance: found.instance };
    const goesOn = found.progress.state === "running";
    await Promise.all([goesOn || found.rows.length ? this.curves() : null, refreshRun()]);
    if (found.progress.unread) return 200;
    return goesOn ? 2000 : found.answering ? 3000 : 10000;
  }

  showRows() {
    const rows = [...this.rows].map((cells) => cells ?? {});
    this.running = rows.map((cells, number) => ({ cells, number })).filter(({ cells }) => cells.state === "running");
    const columns = this.columns.map((column) => ({ ...column, open: openRun }));
    this.offerChoices(rows);
    this.table.set(columns, columns.map((column) => rows.map((cells) => cells[column.key] ?? null)));
    this.showRunning();
    failures(this.id, rows, openRun);
  }

  offerChoices(rows) {
    const offered = [];
    for (const column of this.columns) {
      if (column.kind !== "state" && !/^value:|^device$|^hostname$/.test(column.key)) continue;
      const values = new Set();
      for (const cells of rows) {
        if (cells[column.key] !== undefined) values.add(String(cells[column.key]));
        if (values.size > MOST_CHOICES) break;
      }
      if (values.size > 1 && values.size <= MOST_CHOICES) offered.push({ column, values: [...values].sort((a, b) => a.localeCompare(b, "en", { numeric: true })) });
    }
    keep(find("choices"), offered, ({ column }) => column.key, ({ column }) => {
      const id = `filter-${column.key}`;
      return make("div", { class: "field" }, make("label", { for: id }, column.label), make("select", { id, "data-column": column.key }));
    }, (field, { values }) => offerValues(field.lastChild, values));
  }

  showRunning() {
    const running = this.running;
    show(find("running-none"), !running.length);
    keep(find("running-list"), running.slice(0, MOST_CARDS), ({ number }) => number, ({ number }) => make("li", {},
      make("button", { type: "button", class: "linklike name", onclick: () => openRun(number) }),
      make("progress", { "aria-label": "Epochs", max: "1" }), make("p", { class: "soft" })), (card, { cells }) => {
      const [name, bar, words] = card.children;
      text(name, cells.run);
      const [done, all] = String(cells.epoch ?? "").split("/").map(Number);
      show(bar, all > 0);
      if (all > 0) { bar.max = all; bar.value = done; bar.setAttribute("aria-label", `Epochs of ${cells.run}`); }
      const numbers = this.columns.filter(({ key }) => key.startsWith("status:") && cells[key] !== undefined).map(({ key, label }) => `${label} ${number(cells[key])}`);
      text(words, [cells.device, cells.epoch && `epoch ${cells.epoch}`, ...numbers, duration(cells.seconds), cells.attempt > 1 && `attempt ${cells.attempt}`].filter(Boolean).join(", "));
    });
    text(find("running-more"), running.length > MOST_CARDS ? `and ${running.length - MOST_CARDS} more, which are in the table` : "");
  }

  curvesLater() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.curves().catch(() => {}), 200);
  }

  async curves() {
    const ofTable = this.ofTable = find("curve-runs").value === "table" || !this.running.length;
    text(find("curve-note"), find("curve-runs").value === "running" && ofTable && this.rows.length ? "No run is under way: these are the first of the table." : "");
    const numbers = (ofTable ? this.table.rows : this.running.map(({ number }) => number)).slice(0, MOST_CURVES);
    const found = numbers.length ? await ask("api/curves", { sweep: this.id, runs: numbers.join(",") }) : { runs: {} };
    this.curved = numbers.filter((number) => found.runs[number]).map((number) => ({ number, name: this.rows[number]?.run ?? `run ${number}`, curves: found.runs[number].curves }));
    this.showCurves();
  }

  showCurves() {
    const runs = this.curved ?? [];
    const names = metricNames(runs);
    offer(find("curve-metric"), names);
    for (const id of ["curve-metric", "curve-log"]) show(find(id).parentElement, names.length > 0);
    const metric = find("curve-metric").value;
    const curves = runs.filter((run) => run.curves[metric]).map((run) => ({ name: run.name, run: run.number, steps: run.curves[metric][0], values: run.curves[metric][1] }));
    show(find("curves-none"), !curves.length);
    show(find("curve-form"), names.length > 0 || this.rows.length > 0);
    show(find("chart"), curves.length > 0);
    if (curves.length) this.chart.set(curves, metric, find("curve-log").checked);
  }
}

function offerValues(select, values) {
  const now = [...select.options].map((option) => option.value);
  if (now.length === values.length + 1 && values.every((value, i) => value === now[i + 1])) return;
  const chosen = select.value;
  select.replaceChildren(make("option", { value: "" }, "any"), ...values.map((value) => make("option", { value }, value.replace("_", " "))));
  if (values.includes(chosen)) select.value = chosen;
}

// The content of a cell of the table of runs.
function fill(cell, column, value, row) {
  if (column.kind === "run") {
    let button = cell.firstElementChild;
    if (button === null) {
      button = make("button", { type: "button", class: "linklike", onclick: () => column.open(Number(button.dataset.run)) });
      cell.replaceChildren(button);
    }
    button.dataset.run = row;
    text(button, value ?? "not read yet");
  } else if (column.kind === "state") {
    if (cell.firstElementChild === null) cell.replaceChildren(make("span"));
    cell.firstElementChild.className = `chip ${value ?? ""}`;
    text(cell.firstElementChild, (value ?? "–").replace("_", " "));
  } else {
    text(cell, value === null ? "–" : column.key === "seconds" ? duration(value) : value);
  }
}

function showMachine(machine, command, directory) {
  text(find("machine-name"), `${machine.hostname}, where this server runs${machine.load ? `; load ${machine.load.map((load) => load.toFixed(1)).join(", ")}` : ""}`);
  const share = (part) => part.used / part.total;
  const cores = machine.cores, mean = cores.reduce((sum, load) => sum + load, 0) / Math.max(cores.length, 1);
  const meters = [{ name: `${plural(cores.length, "core")}`, value: mean / 100, words: `${Math.round(mean)} %` }];
  if (cores.length > 1 && cores.length <= 32) meters.push(...cores.map((load, i) => ({ name: `core ${i}`, value: load / 100, words: `${Math.round(load)} %` })));
  meters.push({ name: "memory", value: share(machine.memory), words: `${bytes(machine.memory.used)} of ${bytes(machine.memory.total)}` });
  if (machine.disk) meters.push({ name: "disk of the sweep", value: 1 - machine.disk.free / machine.disk.total, words: `${bytes(machine.disk.free)} free` });
  for (const gpu of machine.gpus) {
    const warm = gpu.temperature === null ? "" : `, ${gpu.temperature} °C`;
    if (gpu.load !== null) meters.push({ name: `GPU ${gpu.index}, ${gpu.name}`, value: gpu.load / 100, words: `${gpu.load} %${warm}` });
    if (gpu.memory === null) continue;
    meters.push({ name: `memory of GPU ${gpu.index}, ${gpu.name}`, value: share(gpu.memory), words: `${bytes(gpu.memory.used)} of ${bytes(gpu.memory.total)}` });
  }
  keep(find("meters"), meters, ({ name }) => name, ({ name }) => make("div", { class: "meter" },
    make("div", { class: "label" }, make("span", {}, name), make("span")), make("progress", { max: "1", "aria-label": name })), (meter, { value, words }) => {
    text(meter.firstChild.lastChild, words);
    meter.lastChild.value = Math.min(Math.max(value, 0), 1);
    meter.lastChild.setAttribute("aria-valuetext", words);
  });
  const facts = [["Directory", directory], ["Command", command?.words], ["Host", command?.hostname], ["Started", command?.started], ["Git commit", command?.commit]];
  keep(find("origin"), facts.filter(([, fact]) => fact), ([name]) => name, ([name]) => make("div", {}, make("dt", {}, name), make("dd")), (child, [, fact]) => text(child.lastChild, fact));
}
