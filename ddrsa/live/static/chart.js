// Curves as a picture, with their last values as a table for those who cannot see it.
import { make, number, text } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const LEFT = 64, RIGHT = 12, TOP = 10, BOTTOM = 40, HEIGHT = 320;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const look = (place) => `s${place % 7} d${Math.floor(place / 7) % 5}`;

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const times of [1, 2, 5]) {
      const at = times * 10 ** power;
      if (at >= low && at <= high) found.push(at);
    }
  }
  return found.length > 9 ? found.filter((at) => Math.log10(at) % 1 === 0) : found;
}

// The ends of an axis, with a little room.
function range(values) {
  let low = Math.min(...values), high = Math.max(...values);
  const by = low === high ? Math.abs(low) * 0.05 || 1 : (high - low) * 0.03;
  return [low - by, high + by];
}

export class Chart {
  constructor(parent) {
    this.box = make("div", { class: "chart" });
    this.picture = make("div");
    this.readout = make("p", { class: "readout soft", "aria-hidden": "true" });
    this.legend = make("ul", { class: "legend" });
    this.table = make("tbody");
    this.tableOf = make("caption");
    const head = ["run", "last step", "last value", "lowest", "highest"].map((name, i) => make("th", { scope: "col", class: i ? "number" : "" }, name));
    this.details = make("details", {}, make("summary", {}, "The same as a table"),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Curves as a table" },
        make("table", {}, this.tableOf, make("thead", {}, make("tr", {}, ...head)), this.table)));
    this.box.append(this.picture, this.readout, this.legend);
    parent.replaceChildren(this.box, this.details);
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => this.near(null));
    new ResizeObserver(() => { if (Math.abs(this.picture.clientWidth - (this.width ?? 0)) > 4) this.redraw(); }).observe(this.picture);
  }

  // curves: of each its name, its steps and its values. metric: what the values are.
  set(curves, metric, logarithmic = false) {
    Object.assign(this, { curves, metric, logarithmic });
    this.redraw();
    this.legend.replaceChildren(...curves.map((curve, place) => make("li", {},
      draw("svg", { viewBox: "0 0 32 8", "aria-hidden": "true" }, draw("path", { d: "M0 4H32", class: `curve ${look(place)}` })), make("span", {}, curve.name))));
    this.tableOf.textContent = `${metric}, ${curves.length} runs`;
    this.table.replaceChildren(...curves.map((curve) => make("tr", {}, make("th", { scope: "row" }, curve.name),
      ...[curve.steps.at(-1), curve.values.at(-1), Math.min(...curve.values), Math.max(...curve.values)]
        .map((value) => make("td", { class: "number" }, number(value))))));
  }

  redraw() {
    const width = Math.max(this.picture.clientWidth, 260);
    this.width = this.picture.clientWidth;
    const curves = (this.curves ?? []).map((curve) => ({ ...curve, points: this.points(curve) })).filter((curve) => curve.points.length);
    if (!curves.length) { this.picture.replaceChildren(); this.drawn = []; return; }
    const all = curves.flatMap((curve) => curve.points);
    let [left, right] = [Math.min(...all.map((p) => p[0])), Math.max(...all.map((p) => p[0]))];
    if (left === right) { left -= 1; right += 1; }
    const scale = this.logarithmic ? Math.log10 : (value) => value;
    const [low, high] = range(all.map((p) => scale(p[1])));
    const x = (step) => LEFT + (width - LEFT - RIGHT) * (step - left) / (right - left);
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (scale(value) - low) / (high - low));
    const svg = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img",
      "aria-label": `${this.metric} of ${curves.length} runs by step; the table below has the numbers` });
    const marks = this.logarithmic ? logTicks(10 ** low, 10 ** high) : ticks(low, high, 6);
    for (const at of marks) {
      svg.append(draw("path", { d: `M${LEFT} ${y(at)}H${width - RIGHT}`, class: "grid" }),
        draw("text", { x: LEFT - 8, y: y(at) + 4, "text-anchor": "end" }, number(at)));
    }
    for (const at of ticks(left, right, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger)) {
      svg.append(draw("text", { x: x(at), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle" }, number(at)));
    }
    svg.append(draw("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "epoch or step"));
    this.drawn = curves.map((curve) => {
      const place = this.curves.findIndex((each) => each.name === curve.name && each.run === curve.run);
      const spots = curve.points.map(([step, value]) => [x(step), y(value), step, value]);
      const path = draw("path", { d: `M${spots.map((s) => `${s[0].toFixed(1)} ${s[1].toFixed(1)}`).join("L")}`, class: `curve ${look(place)}` });
      const [endX, endY] = spots.at(-1);
      svg.append(path, draw("circle", { cx: endX.toFixed(1), cy: endY.toFixed(1), r: 3.5, class: `dot f${place % 7}` }));
      return { curve, path, spots };
    });
    this.picture.replaceChildren(svg);
  }

  points(curve) {
    return curve.steps.map((step, i) => [step, curve.values[i]]).filter(([, value]) => !this.logarithmic || value > 0);
  }

  point(event) {
    const box = this.picture.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = null;
    for (const each of this.drawn ?? []) {
      for (const spot of each.spots) {
        const distance = (spot[0] - px) ** 2 + (spot[1] - py) ** 2;
        if (best === null || distance < best.distance) best = { distance, each, spot };
      }
    }
    this.near(best);
  }

  near(best) {
    for (const each of this.drawn ?? []) each.path.classList.toggle("near", best?.each === each);
    text(this.readout, best === null ? "" : `${best.each.curve.name}: ${this.metric} ${number(best.spot[3])} at ${number(best.spot[2])}`);
  }
}

// Names of the metrics in the curves of some runs; those that are looked at first, first.
export function metricNames(runs) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.curves)))];
  const rank = (name) => [/^(validation|val|eval|test).*loss/i, /loss/i, /^(validation|val|eval)/i, /.*/].findIndex((each) => each.test(name));
  const rare = (name) => /learning_rate|^lr|best_/i.test(name);
  return names.sort((a, b) => rare(a) - rare(b) || rank(a) - rank(b) || a.localeCompare(b));
}

// Fills a select with names, and keeps what was chosen.
export function offer(select, names) {
  const now = [...select.options].map((option) => option.value);
  if (now.length === names.length && names.every((name, i) => name === now[i])) return;
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
  if (names.includes(chosen)) select.value = chosen;
}
