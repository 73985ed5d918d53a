// Elements, made of tags, attributes and texts. Text never becomes markup: names of files, hosts
// and errors come from strangers.

import { bytes, percent } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

// Everything after the attributes is a child: a node, a text, a number, or a list of those; what is
// null, undefined or false is left out. `onclick: f` listens; `style: {width: "3%"}` styles.
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function button(label, onclick, more = {}) {
  return el("button", { type: "button", onclick, ...more }, label);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

// Puts these children into a node, in place of what is there.
export function replace(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

// Puts these children in the place of those that are there, but leaves each that looks the same, on
// every level: what a person has focused, marked or unfolded stays so, when figures come every few
// seconds. What listens stays, too, even if the new one would listen otherwise.
export function renew(node, ...children) {
  const old = [...node.childNodes];
  const fresh = flat(children);
  fresh.forEach((child, at) => {
    if (!old[at]) node.append(child);
    else if (child instanceof Element && isAlike(old[at], child)) {
      renew(old[at], [...child.childNodes]);
    } else if (!(child instanceof Node && old[at].isEqualNode(child))) old[at].replaceWith(child);
  });
  old.slice(fresh.length).forEach((child) => child.remove());
}

// Whether two elements are the same but for their children.
function isAlike(old, fresh) {
  if (old.localName === "details") fresh.open = old.open;
  return old.cloneNode(false).isEqualNode(fresh.cloneNode(false));
}

export function icon(name) {
  const shape = SHAPES[name];
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("path", { d: shape }));
}

// What a person reads instead of nothing, while something is fetched.
export function waiting(what) {
  return el("p", { class: "muted waiting", role: "status" }, what);
}

// An error in words, where the person looks; `again` is what a button tries once more.
export function failure(error, again) {
  return el("div", { class: "notice bad", role: "alert" }, icon("bad"),
    el("p", {}, error.message),
    again && button("Try again", again));
}

// A word or a number that says how something is: good, info, warn or bad, "" for none of these.
export function badge(look, text, title) {
  return el("span", { class: `badge ${look}`, title }, look && icon(look), text);
}

// Pairs of a word and a value; those without a value are left out.
export function facts(...pairs) {
  return el("dl", { class: "facts" }, pairs.filter((pair) => (pair?.[1] ?? null) !== null)
    .map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

// A bar of a share between 0 and 1, with words for who does not see it; `other` is a second share,
// which is somebody else's.
export function bar(share, words, state = "", other = 0) {
  const width = (part) => ({ width: `${Math.max(0, Math.min(1, part || 0)) * 100}%` });
  return el("div", { class: `bar ${state}`, role: "img", "aria-label": words },
    el("i", { style: width(share) }),
    other > 0 && el("i", { class: "other", style: width(other) }));
}

// The bar of a place of `total` bytes, some of which are `used` and some taken by `other` things.
// Room is short where the sentence about the cluster's health says so, too.
export function roomBar(total, { used, other, remaining }) {
  const left = total ? remaining / total : 1;
  const words = `${bytes(used)} of ${bytes(total)} used, ${percent(used / total)}`;
  return bar(used / total, words, left < 0.03 ? "bad" : left < 0.1 ? "warn" : "", other / total);
}

const SHAPES = {
  good: "M4 12.5l5 5L20 6.5",
  warn: "M12 3.5L1.8 20.5h20.4zM12 10v5M12 17.6v.4",
  bad: "M12 2.5a9.5 9.5 0 100 19 9.5 9.5 0 000-19zM12 7v6M12 16.4v.4",
  info: "M12 2.5a9.5 9.5 0 100 19 9.5 9.5 0 000-19zM12 11v6M12 7v.4",
  close: "M6 6l12 12M18 6L6 18",
};

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") {
      for (const [property, to] of Object.entries(value)) node.style.setProperty(property, to);
    } else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
