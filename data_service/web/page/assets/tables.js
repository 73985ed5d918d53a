// Tables that a person sorts and searches.

import { button, el, renew } from "./dom.js";

// A table as an element with `draw(rows)` and `search(words)`. Of `columns` each is {key, title,
// show(row), value(row), look}: `show` gives what stands in a cell, `value` what it is sorted by
// (without it, it cannot be), `look` is a class of its cells. `text(row)` is what a search looks
// at, whatever the case; `id(row)` tells which row is which when they come anew.
export function sortedTable({ caption, columns, text, id, empty }) {
  let rows = [];
  let lines = new Map();
  let words = "";
  let order = { key: columns[0].key, down: false };
  const body = el("tbody");
  const heads = columns.map((column) => el("th", { scope: "col", class: column.look },
    column.value ? button(column.title, () => turn(column))
      : column.title));
  const table = el("table", { class: "stack" }, el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, heads)), body);

  const turn = ({ key }) => {
    order = { key, down: order.key === key && !order.down };
    fill();
  };
  const fill = () => {
    columns.forEach(({ key }, at) => {
      if (key === order.key) {
        heads[at].setAttribute("aria-sort", order.down ? "descending" : "ascending");
      } else heads[at].removeAttribute("aria-sort");
    });
    const { value } = columns.find(({ key }) => key === order.key);
    const shown = sorted(rows.filter((row) => fits(text(row), words)), value, order.down);
    lines = new Map(shown.map((row) => [id(row), line(row)]));
    const trs = shown.length ? [...lines.values()] : [el("tr", {}, el("td", { class: "muted",
      colspan: columns.length }, rows.length ? "Nothing fits the search." : empty))];
    // Who has the focus in a row would lose it, if that was put in its place once more.
    if (trs.some((tr, at) => body.children[at] !== tr) || body.children.length > trs.length) {
      body.replaceChildren(...trs);
    }
  };
  const line = (row) => {
    const fresh = columns.map(({ title, show, look }) =>
      el("td", { "data-label": title, class: look }, show(row)));
    const tr = lines.get(id(row)) || el("tr");
    renew(tr, fresh);
    return tr;
  };
  table.draw = (fresh) => {
    rows = fresh;
    fill();
  };
  table.search = (sought) => {
    words = sought;
    fill();
  };
  return table;
}

// A sorted copy: numbers by size, texts as people sort them (node 2 before node 10).
export function sorted(rows, value, down) {
  const compared = (one, other) => (typeof one === "number" && typeof other === "number"
    ? one - other : String(one).localeCompare(String(other), "en", { numeric: true }));
  const up = [...rows].sort((one, other) => compared(value(one), value(other)));
  return down ? up.reverse() : up;
}

// Whether a text has every word that is sought in it.
export function fits(text, words) {
  const low = text.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => low.includes(word));
}
