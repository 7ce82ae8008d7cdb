// A run in a dialog: its curves, the end of its log, what it is.
import { ask } from "./api.js";
import { Chart, metricNames, offer } from "./chart.js";
import { find, keep, make, number, show, showLogs, text } from "./dom.js";

const LABELS = { attempt: "Attempt", trial: "Trial", device: "Device", gpu_index: "GPU",
  hostname: "Host", pid: "Process", started_at: "Began", ended_at: "Ended", updated_at: "Last word", return_value: "Returned" };

const dialog = find("run"), body = find("run-body");
let open = null, parts = null;

function lay() {
  const metric = make("select", { id: "run-metric" }), log = make("input", { type: "checkbox", id: "run-log-scale" });
  parts = {
    lead: make("p", {}, make("span"), " ", make("span", { class: "reason" })),
    notes: make("ul", { class: "notes" }), facts: make("dl", { class: "environment" }), metric, log,
    form: make("form", { class: "filters" }, make("div", { class: "field" }, make("label", { for: "run-metric" }, "Metric"), metric),
      make("div", { class: "field check" }, log, make("label", { for: "run-log-scale" }, "logarithmic"))),
    picture: make("div"), none: make("p", { class: "soft" }, "It has no curve yet."),
    metrics: make("dl", { class: "facts" }), results: make("h3", {}, "Results"),
    logs: make("div"), noLog: make("p", { class: "soft" }, "It has no log yet."),
  };
  parts.form.addEventListener("submit", (event) => event.preventDefault());
  parts.form.addEventListener("change", () => curves());
  body.replaceChildren(parts.lead, parts.notes, make("h3", {}, "Curves"), parts.form, parts.none, parts.picture, parts.results, parts.metrics,
    make("h3", {}, "The end of its log"), parts.noLog, parts.logs, make("h3", {}, "What it is"), parts.facts);
  parts.chart = new Chart(parts.picture);
}

function curves() {
  const names = metricNames([open.run]);
  offer(parts.metric, names);
  const curve = open.run.curves[parts.metric.value];
  show(parts.none, !names.length);
  show(parts.form, names.length > 0);
  show(parts.picture, names.length > 0);
  if (curve) parts.chart.set([{ name: open.run.name, run: 0, steps: curve[0], values: curve[1] }], parts.metric.value, parts.log.checked);
}

function pairs(list, items) {
  keep(list, items, ([name]) => name, () => make("div", {}, make("dt"), make("dd")), (child, [name, value]) => {
    text(child.firstChild, name);
    text(child.lastChild, value);
  });
}

function fill(run) {
  open.run = run;
  text(find("run-name"), run.name);
  const [state, reason] = parts.lead.children;
  state.className = `chip ${run.facts.state.replace(" ", "_")}`;
  text(state, run.facts.state);
  text(reason, run.facts.reason);
  keep(parts.notes, run.notes, (note) => note, () => make("li"), (child, note) => text(child, note));
  const facts = Object.entries(run.facts).filter(([name]) => name !== "state" && name !== "reason").map(([name, value]) => [LABELS[name] ?? name, value]);
  const values = Object.entries(run.values).map(([key, value]) => [key, value]);
  pairs(parts.facts, [...facts, ...values, ["Directory", run.directory]]);
  const metrics = Object.entries(run.metrics).map(([name, value]) => [name, number(value)]);
  show(parts.results, metrics.length > 0);
  pairs(parts.metrics, metrics);
  curves();
  show(parts.noLog, !run.logs.length);
  showLogs(parts.logs, run.logs, `the run ${run.name}`);
}

export async function refreshRun() {
  if (open === null) return;
  const asked = open;
  const run = await ask("api/run", { sweep: asked.sweep, run: asked.number });
  if (asked === open) fill(run);
}

export async function openRun(sweep, number) {
  open = { sweep, number };
  lay();
  text(find("run-name"), "...");
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  try {
    await refreshRun();
  } catch (error) {
    text(find("run-name"), error.message);
  }
}

export function closeRun() { if (dialog.open) dialog.close(); }

find("run-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => {
  open = null;
  if (location.hash.startsWith("#run=")) history.replaceState(null, "", location.pathname + location.search);
});
