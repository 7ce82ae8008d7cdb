// Elements of the page. Whatever comes from a run gets in as text, never as markup.
export const find = (id) => document.getElementById(id);

// An element; attributes that are null are left out.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function text(element, value) {
  const shown = String(value ?? "");
  if (element.textContent !== shown) element.textContent = shown;
}

export function show(element, shown) { element.hidden = !shown; }

// One child of `parent` for each item, made once for each key and filled each time, so that the focus stays where it is.
export function keep(parent, items, keyOf, create, fill) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, place) => {
    const key = String(keyOf(item));
    let child = old.get(key);
    old.delete(key);
    if (child === undefined) {
      child = create(item);
      child.dataset.key = key;
    }
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
    fill(child, item);
  });
  old.forEach((child) => child.remove());
}

// The ends of logs, each with its path; one that was read to its end stays at its end.
export function showLogs(parent, logs, whose) {
  keep(parent, logs, ({ path }) => path, () => make("div", {}, make("p", { class: "path soft" }), make("pre", { class: "log", tabindex: "0", role: "region" })), (part, log) => {
    const [path, box] = part.children;
    text(path, log.path);
    box.setAttribute("aria-label", `The end of ${log.path.slice(log.path.lastIndexOf("/") + 1)} of ${whose}`);
    if (box.textContent === log.text) return;
    const atEnd = !box.textContent || box.scrollTop + box.clientHeight >= box.scrollHeight - 8;
    box.textContent = log.text;
    if (atEnd) box.scrollTop = box.scrollHeight;
  });
}

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export const bytes = (count) => `${(count / 2 ** 30).toFixed(count < 10 * 2 ** 30 ? 1 : 0)} GiB`;

export function number(value) {
  if (typeof value !== "number") return String(value ?? "–");
  return Number.isInteger(value) && Math.abs(value) < 1e7 ? String(value) : String(Number(value.toPrecision(5)));
}

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
