// The table of a directory. Of its rows only those are in the document that can be seen, so that
// very many are as fast as a few; whoever listens is told how many there are all the same.

import { Selection, matching, sorted, windowOf } from "./entries.js";
import { button, el, replace } from "./dom.js";
import { bytes, counted, date, permissions, visible } from "./format.js";

export const ROW_PIXELS = 40;

const COLUMNS = [
  ["name", "Name"], ["size", "Size"], ["modified", "Modified"], ["owner", "Owner"],
  ["group", "Group"], ["mode", "Permissions"], ["replication", "Replicas"],
];

export class Grid {
  // `open(entry)` is for Enter and a click on a name; `changed()` when the selection or the number
  // of rows did; `key(event)` gets what the grid does not know itself.
  constructor({ open, changed, key, link }) {
    Object.assign(this, { open, changed, key, link });
    this.selection = new Selection();
    this.entries = [];
    this.rows = [];
    this.order = ["name", true];
    this.text = "";
    this.nodes = new Map();
    this.above = el("tbody", { "aria-hidden": "true" });
    this.body = el("tbody");
    this.below = el("tbody", { "aria-hidden": "true" });
    this.heads = COLUMNS.map(([key, title]) => el("th", { scope: "col", class: `c-${key}` },
      button(title, () => this.sortBy(key))));
    this.every = el("input", { type: "checkbox", "aria-label": "Select all", onclick: () => {
      if (this.every.checked) this.selection.all(this.rows);
      else this.selection.clear();
      this.refresh();
    } });
    this.table = el("table", { role: "grid", tabindex: "0", "aria-multiselectable": "true",
      "aria-label": "Files", onkeydown: (event) => this.onKey(event) },
    el("thead", {}, el("tr", {}, el("th", { class: "c-mark" }, this.every), this.heads)),
    this.above, this.body, this.below);
    this.node = el("div", { class: "grid card table", onscroll: () => this.soon() }, this.table);
    new ResizeObserver(() => this.soon()).observe(this.node);
  }

  // All entries of the directory, or those that are known so far.
  fill(entries) {
    this.entries = entries;
    this.arrange();
  }

  filter(text) {
    this.text = text;
    this.arrange();
    this.node.scrollTop = 0;
  }

  sortBy(key) {
    this.order = [key, this.order[0] === key ? !this.order[1] : true];
    this.arrange();
  }

  chosen() {
    return this.rows.filter((entry) => this.selection.names.has(entry.name));
  }

  arrange() {
    this.rows = sorted(matching(this.entries, this.text), ...this.order);
    this.selection.keep(this.rows);
    for (const [at, [key]] of COLUMNS.entries()) {
      const word = this.order[1] ? "ascending" : "descending";
      this.heads[at].setAttribute("aria-sort", key === this.order[0] ? word : "none");
    }
    this.refresh();
  }

  refresh() {
    this.table.setAttribute("aria-rowcount", this.rows.length + 1);
    const count = this.selection.names.size;
    this.every.checked = count > 0 && count === this.rows.length;
    this.every.indeterminate = count > 0 && count < this.rows.length;
    this.draw();
    this.changed();
  }

  soon() {
    this.drawing ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = undefined;
    const { scrollTop, clientHeight } = this.node;
    const [first, end] = windowOf(scrollTop, clientHeight, ROW_PIXELS, this.rows.length);
    const before = this.nodes;
    this.nodes = new Map();
    const shown = [];
    for (let at = first; at < end; at += 1) {
      const entry = this.rows[at];
      // A row that is there already stays: somebody may be about to click on it.
      const row = before.get(entry) || this.row(entry);
      this.nodes.set(entry, row);
      this.mark(row, entry, at);
      shown.push(row);
    }
    if (shown.length !== this.body.children.length
      || shown.some((row, at) => row !== this.body.children[at])) replace(this.body, shown);
    gap(this.above, first);
    gap(this.below, this.rows.length - end);
    const cursor = this.body.querySelector(".cursor");
    if (cursor) this.table.setAttribute("aria-activedescendant", cursor.id);
    else this.table.removeAttribute("aria-activedescendant");
  }

  mark(row, entry, at) {
    const chosen = this.selection.names.has(entry.name);
    row.id = `row-${at}`;
    row.setAttribute("aria-rowindex", at + 2);
    row.setAttribute("aria-selected", chosen);
    row.classList.toggle("cursor", entry.name === this.selection.cursor);
    row.querySelector("input").checked = chosen;
  }

  row(entry) {
    const name = visible(entry.name);
    const kind = entry.isDirectory ? "d" : "-";
    const values = [
      entry.isDirectory ? el("span", { class: "muted" }, counted(entry.size, "entry", "entries"))
        : bytes(entry.size), date(entry.modified), entry.owner,
      entry.group, el("code", {}, kind + permissions(entry.mode)), entry.replication || "–",
    ];
    const mark = el("input", { type: "checkbox", tabindex: "-1", "aria-label": `Select ${name}` });
    const words = el("a", { href: this.link(entry), tabindex: "-1", title: name, dir: "auto" },
      name);
    return el("tr", {
      class: entry.isDirectory ? "directory" : "file",
      onclick: (event) => this.onClick(event, entry),
      ondblclick: (event) => event.target.closest("a, input") || this.open(entry),
    },
    el("td", { class: "c-mark" }, mark),
    el("td", { class: "c-name" }, el("span", { class: "kind", "aria-label":
      entry.isDirectory ? "directory" : "file", role: "img" }), words),
    values.map((value, at) => el("td", { class: `c-${COLUMNS[at + 1][0]}` }, value)));
  }

  onClick(event, entry) {
    if (event.target.closest("a")) {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.selection.cursor = entry.name;
      this.open(entry);
      return;
    }
    if (event.shiftKey) this.selection.extend(this.rows, entry.name);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".c-mark")) {
      this.selection.toggle(entry.name);
    } else this.selection.only(entry.name);
    this.refresh();
    this.table.focus({ preventScroll: true });
  }

  onKey(event) {
    if (event.target !== this.table && !event.target.closest("tbody")) return;
    const at = this.rows.findIndex((entry) => entry.name === this.selection.cursor);
    const page = Math.max(1, Math.floor(this.node.clientHeight / ROW_PIXELS) - 2);
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0,
      End: this.rows.length - 1, PageDown: at + page, PageUp: at - page }[event.key];
    if (to !== undefined && this.rows.length) {
      event.preventDefault();
      this.goTo(to, event.shiftKey);
      if (event.shiftKey) this.refresh();
      else this.draw();
      return;
    }
    if (event.key === "Enter" && at >= 0) this.open(this.rows[at]);
    else if (event.key === " " && at >= 0) this.selection.toggle(this.rows[at].name);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.selection.all(this.rows);
    else if (event.key === "Escape") this.selection.clear();
    else {
      this.key(event);
      return;
    }
    event.preventDefault();
    this.refresh();
  }

  goTo(wanted, extending = false) {
    const at = Math.max(0, Math.min(this.rows.length - 1, wanted));
    const { name } = this.rows[at];
    if (extending) this.selection.extend(this.rows, name);
    else {
      this.selection.cursor = name;
      this.selection.anchor = name;
    }
    const [top, seen] = [at * ROW_PIXELS, this.node.clientHeight - 2 * ROW_PIXELS];
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top > this.node.scrollTop + seen) this.node.scrollTop = top - seen;
  }

  // Puts the person at a name, if it is there.
  find(name) {
    const at = this.rows.findIndex((entry) => entry.name === name);
    if (at >= 0) this.goTo(at);
    this.refresh();
  }
}

function gap(body, rows) {
  const height = `${rows * ROW_PIXELS}px`;
  if (!body.firstChild) body.append(el("tr", {}, el("td")));
  body.firstChild.style.height = height;
  body.hidden = rows === 0;
}
