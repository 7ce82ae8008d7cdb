// The present answer in words, and the plots of the analysis.
import { address } from "./api.js";
import { clock, find, keep, make, number, plural, show, text } from "./dom.js";

function words(answer, several) {
  const [first, ...others] = answer.words;
  const steps = [...answer.steps.map((step) => [`To ${step.reason}:`, step.commands]),
    ...(answer.command === null ? [] : [[`To ${answer.command_does}:`, [answer.command]]])];
  return make("article", { class: "card" },
    several ? make("h3", {}, answer.dataset) : null,
    make("p", { class: "lead" }, first),
    others.length ? make("ul", {}, ...others.map((sentence) => make("li", {}, sentence))) : null,
    steps.length ? make("details", {}, make("summary", {}, "What to run next"),
      ...steps.flatMap(([reason, commands]) => [make("p", {}, reason), ...commands.map((command) => make("pre", {}, command))])) : null);
}

function race({ answer, basis, caption, objective, rows }) {
  const head = ["configuration", "place", "repeats", `mean ${objective}`, "behind the leader", "low", "high"];
  const cells = (row) => [row.place, row.repeats, row.mean, row.behind, row.low, row.high];
  return make("article", { class: "card" }, make("h3", {}, "The race"), make("p", { class: "lead" }, answer), make("p", { class: "soft" }, `${basis}.`),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The race" },
      make("table", {}, make("caption", {}, caption),
        make("thead", {}, make("tr", {}, ...head.map((name, i) => make("th", { scope: "col", class: i > 1 ? "number" : "" }, name)))),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.configuration),
          ...cells(row).map((cell, i) => make("td", { class: i ? "number" : "" }, i ? number(cell) : cell))))))));
}

function search(lines) {
  return make("article", { class: "card" }, make("h3", {}, "The search"),
    make("pre", { class: "plain", tabindex: "0", role: "region", "aria-label": "The best trials of the search" }, lines));
}

let openSteps = false;

export function showAnswer(answer) {
  const parts = [];
  if (answer.problem) parts.push(make("p", { class: "card" }, answer.problem));
  if (answer.race) parts.push(race(answer.race));
  if (answer.search) parts.push(search(answer.search));
  if (answer.apart) parts.push(make("h3", {}, "The analysis of all runs"), make("p", { class: "soft" }, answer.apart));
  parts.push(...(answer.answers ?? []).map((each) => words(each, answer.answers.length > 1)));
  const box = find("answers");
  openSteps = box.querySelector("details")?.open ?? openSteps;
  box.replaceChildren(...parts);
  box.querySelectorAll("details").forEach((each) => { each.open = openSteps; });
}

export function showAnswerState(answer, answering, progress) {
  let said = "";
  if (!answer.at) said = answering ? "The first answer is being worked out."
    : progress.unread ? "There is an answer when all runs are read." : progress.ended ? "" : "There is an answer when a run has completed.";
  else said = `Of ${clock(answer.at)}${answer.runs === undefined ? "" : `, by ${plural(answer.runs, "completed run")}`}${answering ? "; being renewed" : ""}.`;
  text(find("answer-state"), said);
  const waiting = answering ? "They are being drawn." : "The first plot is drawn when a run has completed.";
  text(find("plots-none"), answer.plots === undefined ? waiting : "No plot could be drawn.");
}

export function showPlots(sweep, answer) {
  const plots = answer.plots ?? [], leftOut = answer.left_out ?? [];
  show(find("plots-none"), !plots.length);
  keep(find("plot-list"), plots, (plot) => plot.name, () => make("figure", {}, make("h3"),
    make("div", { class: "paper", tabindex: "0", role: "group" }, make("img")), make("figcaption", { "aria-hidden": "true" })), (figure, plot) => {
    const [title, paper, caption] = figure.children, image = paper.firstChild;
    text(title, plot.title);
    text(caption, plot.description);
    paper.setAttribute("aria-label", plot.title);
    image.alt = plot.description;
    const source = address(`plots/${plot.name}`, { sweep, of: answer.version });
    if (image.getAttribute("src") !== source) image.src = source;
  });
  show(find("left-out"), leftOut.length > 0);
  keep(find("left-out-list"), leftOut, (plot) => plot.name, () => make("li", {}, make("code"), make("span")), (item, plot) => {
    text(item.firstChild, plot.name);
    text(item.lastChild, `: ${plot.reason}`);
  });
}
