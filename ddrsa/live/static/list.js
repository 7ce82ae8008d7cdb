// All sweeps beneath the folder, each with its progress.
import { address, ask } from "./api.js";
import { find, keep, make, show, text } from "./dom.js";
import { chips, progressWords, showNotes } from "./progress.js";

export function showList({ root, sweeps, notes }) {
  document.title = `Sweeps in ${root}`;
  text(find("title"), `Sweeps in ${root}`);
  show(find("sweeps"), sweeps.length > 0);
  show(find("empty"), !sweeps.length);
  text(find("empty"), `There is no sweep in ${root}: neither experiment_manifest.json nor multirun.yaml lies in it or beneath it. One that begins there is shown here.`);
  showNotes(notes);
  keep(find("sweep-list"), sweeps, ({ id }) => id, ({ id }) => make("li", {},
    make("a", { class: "name", href: address("./", { sweep: id }) }), make("p", { class: "states" }), make("progress", {}), make("p", { class: "soft" })), (card, sweep) => {
    const [name, states, bar, words] = card.children;
    text(name, sweep.name);
    chips(states, sweep.counts);
    bar.max = Math.max(sweep.planned, 1);
    bar.value = sweep.ended;
    bar.setAttribute("aria-label", `Runs of ${sweep.name} that have ended`);
    text(words, progressWords(sweep));
  });
}

export const askList = () => ask("api/sweeps");
