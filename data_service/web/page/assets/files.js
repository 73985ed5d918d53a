// The view of a directory.

import { address, isAbort, webhdfs } from "./api.js";
import { openDialog } from "./dialogs.js";
import { button, el, facts, failure, replace } from "./dom.js";
import { bytes, counted, visible } from "./format.js";
import * as deeds from "./deeds.js";
import { details } from "./details.js";
import { entryOf } from "./entries.js";
import { Grid } from "./grid.js";
import { baseName, crumbs, isBelow, join, normal, parent, route } from "./paths.js";
import { preview } from "./preview.js";
import { remove, restore, trash } from "./removal.js";
import { session } from "./session.js";
import { ofDrop, ofInput, upload } from "./upload.js";

const KEYS = [
  ["↑ ↓ Home End PageUp PageDown", "go to a row"], ["Shift with these", "select up to there"],
  ["Space", "select or unselect"], ["Ctrl A", "select all"], ["Escape", "select nothing"],
  ["Enter", "open a directory, look at a file"], ["Backspace", "go to the directory above"],
  ["Letters, /", "look for a name"], ["F2", "rename"], ["Delete", "move to the trash"],
  ["Shift Delete", "delete for good"], ["?", "this help"],
];

// Fetches a directory page by page; `progress` gets what there is so far.
async function fetchAll(path, signal, progress) {
  const found = [];
  let after = "";
  let pause = 0;
  for (;;) {
    const query = after ? { startAfter: after } : {};
    const told = (await webhdfs(path, "LISTSTATUS_BATCH", query, { signal })).DirectoryListing;
    const rows = told.partialListing.FileStatuses.FileStatus;
    if (!after && rows.length === 1 && rows[0].pathSuffix === "") return null;
    for (const row of rows) found.push(entryOf(row));
    const more = told.remainingEntries > 0 && rows.length > 0;
    // Many pages come faster than they can be sorted and shown.
    if (!more || performance.now() > pause) {
      const began = performance.now();
      progress(found, more);
      pause = performance.now() + 5 * (performance.now() - began) + 100;
    }
    if (!more) return found;
    after = rows[rows.length - 1].pathSuffix;
  }
}

let came = "";

export async function show(place, { path: named, signal }) {
  const path = normal(named);
  const view = new View(path, signal);
  replace(place, view.node);
  view.grid.table.focus({ preventScroll: true });
  await view.load();
  // Who goes up finds himself at the directory that he comes from.
  if (came && parent(came) === path && !signal.aborted) view.grid.find(baseName(came));
  came = path;
}

class View {
  constructor(path, signal) {
    Object.assign(this, { path, signal, inTrash: false, loads: 0, loading: true });
    this.grid = new Grid({
      open: (entry) => this.open(entry),
      changed: () => this.tell(),
      key: (event) => this.onKey(event),
      link: (entry) => (entry.isDirectory ? route(this.at(entry)) : this.downloadAddress(entry)),
    });
    this.find = el("input", { type: "search", placeholder: "Find a name", "aria-label":
      "Find a name in this directory", oninput: () => this.grid.filter(this.find.value),
    onkeydown: (event) => this.onFind(event) });
    this.count = el("p", { class: "muted count", role: "status" });
    this.chosen = el("div", { class: "chosen", role: "toolbar", "aria-label": "Selection" });
    this.trouble = el("div");
    this.node = el("div", { class: "browser" }, this.head(), this.bar(), this.chosen, this.trouble,
      this.grid.node, this.count);
    this.listen();
  }

  at(entry) {
    return join(this.path, entry.name);
  }

  head() {
    const links = crumbs(this.path).map(([name, path], at, all) => el("li", {},
      el("a", { href: route(path), "aria-current": at === all.length - 1 && "page", dir: "auto" },
        at ? visible(name) : "Root")));
    return el("div", { class: "head" },
      el("h1", { class: "unseen" }, `Files in ${visible(this.path)}`),
      el("nav", { "aria-label": "Path" }, el("ol", { class: "crumbs" }, links)),
      button("This directory", () => this.back(details(this.path))),
      el("a", { class: "button", href: route(session.home) }, "Home"));
  }

  bar() {
    const picker = (label, more) => {
      const input = el("input", { type: "file", multiple: true, class: "unseen", tabindex: "-1",
        "aria-label": label, ...more, onchange: () => {
          upload(this.path, ofInput(input.files));
          input.value = "";
        } });
      const kind = more.webkitdirectory ? "" : "primary";
      return [button(label, () => input.click(), { class: kind }), input];
    };
    return el("div", { class: "tools" }, picker("Upload files", { id: "upload" }),
      picker("Upload a folder", { webkitdirectory: true }),
      button("New directory", () => this.after(deeds.makeDirectory(this.path))),
      button("Refresh", () => this.load(), { class: "quiet" }),
      button("?", help, { class: "quiet", "aria-label": "Keys" }),
      this.find);
  }

  listen() {
    const { signal } = this;
    document.addEventListener("uploaded", ({ detail }) => {
      if (detail.some((path) => path === this.path || isBelow(path, this.path))) this.load();
    }, { signal });
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, textarea, select, dialog, [role=grid]")) return;
      if (event.key === "/" || event.key === "?") this.onKey(event);
    }, { signal });
    const files = (event) => event.dataTransfer?.types.includes("Files");
    const over = (event) => {
      if (!files(event)) return;
      event.preventDefault();
      this.node.classList.add("drop");
    };
    document.addEventListener("dragover", over, { signal });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) this.node.classList.remove("drop");
    }, { signal });
    document.addEventListener("drop", async (event) => {
      if (!files(event)) return;
      event.preventDefault();
      this.node.classList.remove("drop");
      upload(this.path, await ofDrop(event.dataTransfer));
    }, { signal });
  }

  async load() {
    replace(this.trouble);
    const mine = (this.loads += 1);
    const first = !this.grid.entries.length;
    // What is shown stays until all is there anew; of two looks the later one counts.
    const shown = (entries, more) => {
      if (mine !== this.loads || (more && !first)) return;
      this.loading = more;
      this.grid.fill([...entries]);
    };
    try {
      const found = await fetchAll(this.path, this.signal, shown);
      if (found === null) {
        location.replace(route(parent(this.path)));
        await this.look(this.path);
        return;
      }
      const { root } = await trash({ signal: this.signal });
      this.inTrash = isBelow(this.path, root);
      this.told = null;
      this.tell();
    } catch (error) {
      if (isAbort(error) || this.signal.aborted) return;
      replace(this.trouble, failure(error, () => this.load()));
    }
  }

  fail(error) {
    replace(this.trouble, failure(error));
  }

  async look(path) {
    const { FileStatus: status } = await webhdfs(path, "GETFILESTATUS");
    await preview(path, status.length);
  }

  open(entry) {
    if (entry.isDirectory) location.hash = route(this.at(entry));
    else this.back(preview(this.at(entry), entry.size));
  }

  downloadAddress(entry) {
    return address("/files/download", { path: this.at(entry) });
  }

  // Loads again when a dialog has changed something.
  async after(change) {
    const result = await change;
    if (result !== null) await this.load();
    return this.back(result);
  }

  // Gives the keys back to the table when a dialog has ended.
  async back(ending) {
    const result = await ending;
    if (!this.signal.aborted) this.grid.table.focus({ preventScroll: true });
    return result;
  }

  // What is chosen, else the row that the person is at.
  targets() {
    const chosen = this.grid.chosen();
    return chosen.length ? chosen
      : this.grid.rows.filter((entry) => entry.name === this.grid.selection.cursor);
  }

  async renameChosen() {
    const [entry] = this.targets();
    if (!entry) return;
    const name = await this.after(deeds.renameEntry(this.at(entry)));
    if (name) this.grid.find(name);
  }

  removeChosen(forGood) {
    const paths = this.targets().map((entry) => this.at(entry));
    if (!paths.length) return;
    const gone = (names) => {
      const all = new Set(names);
      this.grid.fill(this.grid.entries.filter((entry) => !all.has(this.at(entry))));
      this.grid.table.focus({ preventScroll: true });
    };
    // Undo comes from a message, when the person may be elsewhere.
    const done = () => !this.signal.aborted && this.load();
    remove(paths, gone, done, forGood).catch((error) => this.fail(error));
  }

  tell() {
    const { rows, entries, text } = this.grid;
    const all = counted(entries.length, "entry", "entries");
    this.count.textContent = (text ? `${counted(rows.length, "match", "matches")} in ${all}`
      : entries.length || this.loading ? all : "Nothing is in this directory.")
      + (this.loading ? ", more come…" : "");
    const chosen = this.grid.chosen();
    // Buttons stay as long as they are about the same rows: the focus may be on one.
    const told = this.told;
    if (chosen.length === told?.length && chosen.every((one, at) => one === told[at])) return;
    this.told = chosen;
    this.chosen.classList.toggle("none", !chosen.length);
    replace(this.chosen, chosen.length ? this.choices(chosen) : el("span", { class: "muted" },
      "Select rows by their boxes or with Space; ? shows all keys."));
  }

  choices(chosen) {
    const one = chosen.length === 1 && chosen[0];
    const files = chosen.every((entry) => !entry.isDirectory);
    const size = chosen.reduce((sum, entry) => sum + entry.size, 0);
    // Dialogs tell what fails in them; what fails before one is there is told above the table.
    const choice = (label, run, look = "") => button(label, async () => {
      try {
        await run();
      } catch (error) {
        this.fail(error);
      }
    }, { class: look });
    const change = (deed) => () => this.after(deed(chosen, this.path));
    const paths = chosen.map((entry) => this.at(entry));
    return [
      el("strong", {}, one ? visible(one.name)
        : `${chosen.length} selected${files ? `, ${bytes(size)}` : ""}`),
      one && !one.isDirectory && [choice("Preview", () => this.back(preview(paths[0], one.size))),
        el("a", { class: "button", href: this.downloadAddress(one), download: "" }, "Download")],
      one && [choice("Details", () => this.back(details(paths[0]))),
        choice("Rename", () => this.renameChosen())],
      this.inTrash && choice("Restore", () => restore(paths, () => this.load()), "primary"),
      choice("Move", () => this.after(deeds.move(paths, this.path))),
      choice("Permissions", change(deeds.permissionsOf)),
      choice("Owner", change(deeds.ownerOf)),
      files && choice("Replicas", change(deeds.replicationOf)),
      one && one.isDirectory && choice("Quota", change(deeds.quotaOf)),
      choice("Delete", () => this.removeChosen(false), "danger"),
      choice("Clear", () => {
        this.grid.selection.clear();
        this.grid.refresh();
      }, "quiet"),
    ];
  }

  onFind(event) {
    if (event.key === "Escape") {
      this.find.value = "";
      this.grid.filter("");
    } else if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    if (event.key !== "Escape") this.grid.goTo(0);
    this.grid.refresh();
    this.grid.table.focus();
  }

  onKey(event) {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "Delete") this.removeChosen(event.shiftKey);
    else if (event.key === "F2") this.renameChosen();
    else if (event.key === "Backspace") location.hash = route(parent(this.path));
    else if (event.key === "?") help();
    else if (plain && event.key.length === 1) {
      this.find.focus();
      if (event.key !== "/") return; // The letter itself goes into the field.
      this.find.select();
    } else return;
    event.preventDefault();
  }
}

function help() {
  return openDialog({ title: "Keys", content: el("div", { class: "keys" },
    facts(...KEYS.map(([keys, what]) => [el("kbd", {}, keys), what]))) });
}
