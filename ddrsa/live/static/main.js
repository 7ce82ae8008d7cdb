// The page: the list of sweeps or one of them, renewed while somebody looks at it.
import { address } from "./api.js";
import { clock, find, show, text } from "./dom.js";
import { askList, showList } from "./list.js";
import { closeRun, openRun } from "./run.js";
import { SweepPage } from "./sweep.js";

const LIST_EVERY = 3000, LONGEST = 15000;
let page = null, chosen = new URLSearchParams(location.search).get("sweep"), last = null, failures = 0, timer;

async function look() {
  if (page === null && chosen === null) {
    const found = await askList();
    if (!found.single) {
      showList(found);
      return LIST_EVERY;
    }
    chosen = found.sweeps[0].id;
  }
  if (page === null) {
    page = new SweepPage(chosen);
    show(find("back"), new URLSearchParams(location.search).has("sweep"));
    follow();
  }
  return page.look();
}

async function round() {
  clearTimeout(timer);
  if (document.hidden) return;
  const began = Date.now();
  let pause;
  try {
    pause = await look();
    failures = 0;
    last = Date.now();
    show(find("trouble"), false);
    text(find("clock"), `As of ${clock(last)}.`);
  } catch (error) {
    failures += 1;
    pause = Math.min(1000 * 2 ** failures, LONGEST);
    text(find("trouble"), trouble(error));
    show(find("trouble"), true);
  }
  // A server that is slow is not asked all the time.
  timer = setTimeout(round, Math.max(pause, Math.min(Date.now() - began, LONGEST)));
}

function trouble(error) {
  if (error.status === 404) return "This sweep is no longer there.";
  if (error.status !== undefined) return error.message;
  const shown = last === null ? "" : ` What is shown is of ${clock(last)}.`;
  return `The server does not answer.${shown} It is asked again.`;
}

// An address with #run=12 shows that run, so that it can be passed on.
function follow() {
  const run = /^#run=(\d+)$/.exec(location.hash);
  if (run === null) closeRun();
  else if (chosen !== null) openRun(chosen, Number(run[1]));
}

find("all-sweeps").href = address("./");
addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", round);
round();
