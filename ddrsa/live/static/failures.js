// Runs that went wrong, put together by their reason, with the end of the log of the first.
import { ask } from "./api.js";
import { find, keep, make, show, showLogs, text } from "./dom.js";

const FAILED = new Set(["failed", "timed_out", "killed", "interrupted", "lost", "unreadable"]);
const MOST_GROUPS = 30, MOST_RUNS = 10, OPEN_GROUPS = 3;
const logs = new Map();

function groupsOf(rows) {
  const groups = new Map();
  rows.forEach((cells, number) => {
    if (!FAILED.has(cells.state)) return;
    // Numbers and addresses differ between runs that failed for one reason.
    const key = `${cells.state} ${(cells.reason ?? "").replace(/0x[0-9a-f]+|\d+/gi, "#")}`;
    if (!groups.has(key)) groups.set(key, { key, state: cells.state, reason: cells.reason ?? "no reason is given", runs: [] });
    groups.get(key).runs.push({ number, name: cells.run, attempt: cells.attempt ?? 1 });
  });
  return [...groups.values()].sort((a, b) => b.runs.length - a.runs.length);
}

export function failures(sweep, rows, openRun) {
  const groups = groupsOf(rows);
  show(find("failures-none"), !groups.length);
  text(find("failures-more"), groups.length > MOST_GROUPS ? `and ${groups.length - MOST_GROUPS} more reasons; the table has all runs` : "");
  let place = 0;
  keep(find("failure-list"), groups.slice(0, MOST_GROUPS), ({ key }) => key, () => create(sweep, openRun, place++ < OPEN_GROUPS), fill);
}

function create(sweep, openRun, open) {
  const group = make("details", { open },
    make("summary", {}, make("span"), " ", make("span", { class: "reason" })), make("p", { class: "soft" }),
    make("div", { class: "logs" }), make("ul", { class: "paths" }), make("p", { class: "soft" }));
  group.openRun = openRun;
  group.sweep = sweep;
  group.addEventListener("toggle", () => load(group));
  return group;
}

function fill(group, { state, reason, runs }) {
  const [summary, , , list, more] = group.children;
  const [chip, why] = summary.children;
  chip.className = `chip ${state}`;
  text(chip, `${runs.length} ${state.replace("_", " ")}`);
  text(why, reason);
  keep(list, runs.slice(0, MOST_RUNS), ({ number }) => number, ({ number }) => make("li", {},
    make("button", { type: "button", class: "linklike", onclick: () => group.openRun(number) })), (item, run) => text(item.firstChild, run.name));
  text(more, runs.length > MOST_RUNS ? `and ${runs.length - MOST_RUNS} more in the table` : "");
  group.first = runs[0];
  load(group);
}

async function load(group) {
  if (!group.open) return;
  const { number, attempt } = group.first, key = `${number} ${attempt}`;
  const [, trouble, box] = group.children;
  if (group.dataset.shown === key) return;
  group.dataset.shown = key;
  try {
    if (!logs.has(key)) logs.set(key, (await ask("api/run", { sweep: group.sweep, run: number })).logs);
    const found = logs.get(key);
    showLogs(box, found, group.first.name);
    text(trouble, found.length ? "" : "It has no log.");
  } catch (error) {
    group.dataset.shown = "";
    text(trouble, `Its log cannot be shown: ${error.message}`);
  }
}
