// How far a sweep is, in the head of the page and, now and then, in words for a screen reader.
import { find, keep, make, plural, show, text } from "./dom.js";

const SAID_EVERY = 30000;
let saidAt = 0, said = "";

const WORDS = { reading: "being read", running: "running", ended: "all runs have ended", stopped: "stopped",
  unknown: "nothing tells whether it goes on" };

export function progressWords({ state, ended, planned, rest, spent, unread }) {
  const left = state === "running" ? `, left: ${rest ?? "not known"}` : "";
  if (state === "reading") return `${planned - unread} of ${plural(planned, "run")} are read`;
  return `${ended} of ${plural(planned, "run")}, ${WORDS[state]}${spent ? `; ${spent} so far` : ""}${left}`.replace(/; (.+) so far$/, state === "running" ? "; $1 so far" : "; it took $1");
}

export function chips(list, counts) {
  keep(list, counts, ([state]) => state, ([state]) => make("span", { class: `chip ${state}` }), (chip, [state, count]) => text(chip, `${count} ${state.replace("_", " ")}`));
}

export function showProgress({ name, progress }) {
  text(find("title"), name);
  document.title = `${progress.ended}/${progress.planned} ${name}`;
  chips(find("states"), progress.counts);
  const bar = find("bar");
  bar.max = Math.max(progress.planned, 1);
  bar.value = progress.ended;
  const words = progressWords(progress);
  text(find("rest"), words);
  showNotes(progress.notes);
  const short = progress.state === "reading" ? said : `${progress.ended} of ${progress.planned} runs have ended`;
  if (short !== said && (Date.now() - saidAt > SAID_EVERY || progress.state !== "running")) {
    saidAt = Date.now();
    said = short;
    text(find("said"), short);
  }
}

export function showNotes(notes) {
  show(find("notes"), notes.length > 0);
  keep(find("notes"), notes, (note) => note, () => make("li"), (item, note) => text(item, note));
}
