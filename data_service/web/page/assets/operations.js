// The view of what goes on: files being written, files with too few replicas, checks of trees, the
// trash, and what the gateway logged last.

import { address, ApiError, ask, askJson, isAbort } from "./api.js";
import { stateBadge } from "./details.js";
import { button, el, failure, icon, replace } from "./dom.js";
import { bytes, clock, counted, date, duration, number, visible } from "./format.js";
import { baseName, normal, parent, route } from "./paths.js";
import { emptyTrash, trash } from "./removal.js";
import { session } from "./session.js";

const SHOWN_MAX = 1000;
const SECONDS_OF_A_CHECK = 24 * 3600;

export function show(place, { signal }) {
  replace(place, el("h1", {}, "Operations"), check(signal), poorFiles(signal), openFiles(signal),
    trashCard(signal),
    // To others the gateway does not show it.
    session.superuser && logCard(signal));
}

// The parts of a stream of lines that are whole so far, and what is left: [values, rest]. Pure.
export function takeLines(text) {
  const lines = text.split("\n");
  const rest = lines.pop();
  return [lines.filter(Boolean).map((line) => JSON.parse(line)), rest];
}

function table(title, heads) {
  const body = el("tbody");
  const node = el("div", { class: "rows" }, el("table", { class: "stack", "aria-label": title },
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), body));
  node.hidden = true;
  const add = (...cells) => {
    node.hidden = false;
    if (body.children.length < SHOWN_MAX) {
      body.append(el("tr", {}, cells.map((cell, at) =>
        el("td", { "data-label": heads[at] }, cell))));
    }
  };
  const clear = () => {
    node.hidden = true;
    replace(body);
  };
  return { node, add, clear };
}

const fileLink = (path) => el("a", { href: route(parent(path)), dir: "auto",
  title: `Go to ${visible(parent(path))}` }, visible(path));

const faultBadges = (faults) => Object.entries(faults).map(([kind, count]) =>
  [stateBadge(kind, count > 1 ? `${number(count)} blocks` : ""), " "]);

// A card of rows that come in pages; `one` makes the cells of a row.
function pages({ title, name, heads, one, none, signal }) {
  const rows = table(title, heads);
  const said = el("p", { class: "muted", role: "status" });
  const more = button("Look on", null, { hidden: true });
  let busy = false;
  const look = async (after, scanned, before) => {
    if (busy) return;
    busy = true;
    more.hidden = true;
    if (!after) rows.clear();
    replace(said, "Looking…");
    try {
      const told = await askJson(address(`/files/${name}`, { path: "/", after }), { signal });
      for (const row of told.rows) rows.add(...one(row));
      const all = before + told.rows.length;
      const looked = scanned + (told.scanned || 0);
      const among = looked ? ` Looked at ${counted(looked, "file or directory",
        "files and directories")}.` : "";
      const found = all ? `${counted(all, "file")}${told.more ? " so far" : ""}`
        : told.more ? "None so far" : none;
      replace(said, `${found}.${among}`);
      more.hidden = !told.more;
      more.onclick = () => look(told.after, looked, all);
    } catch (error) {
      if (!isAbort(error)) replace(said, failure(error, () => look(after, scanned, before)));
    } finally {
      busy = false;
    }
  };
  look(undefined, 0, 0);
  return el("section", { class: "card table" }, el("div", { class: "head" }, el("h2", {}, title),
    more, button("Refresh", () => look(undefined, 0, 0), { class: "quiet" })), rows.node, said);
}

const openFiles = (signal) => pages({
  title: "Open files", name: "open", signal, none: "No file is being written",
  heads: ["File", "So far", "Owner", "Writer", "From"],
  one: (row) => [fileLink(row.path), `${bytes(row.length)} in ${counted(row.blocks, "block")}`,
    row.owner, el("code", {}, visible(row.writer)), visible(row.host)],
});

const poorFiles = (signal) => pages({
  title: "Files that lack replicas", name: "under_replicated", signal,
  none: "Every block has its replicas",
  heads: ["File", "Size", "Owner", "Wanted", "What is wrong"],
  one: (row) => [fileLink(row.path), bytes(row.length), row.owner,
    counted(row.replication, "replica"), faultBadges(row.faults)],
});

function check(signal) {
  const path = el("input", { name: "path", value: "/", required: true, autocomplete: "off",
    spellcheck: "false" });
  const start = el("button", { type: "submit", class: "primary" }, "Check");
  const stop = button("Cancel", null, { hidden: true });
  const said = el("div", { role: "status" });
  const rows = table("Faulty files", ["File", "Size", "Blocks", "What is wrong"]);
  const run = async (event) => {
    event.preventDefault();
    const leaving = new AbortController();
    stop.onclick = () => leaving.abort();
    signal.addEventListener("abort", stop.onclick);
    rows.clear();
    start.disabled = true;
    stop.hidden = false;
    const began = performance.now();
    let progress = {};
    const take = (line) => {
      if (line.file) {
        rows.add(fileLink(line.file.path), bytes(line.file.length), number(line.file.blocks),
          faultBadges(line.file.faults));
      } else if (line.progress) {
        progress = line.progress;
        replace(said, el("p", { class: "muted" }, `${checked(progress)}, now at `,
          el("span", { dir: "auto" }, visible(progress.path))));
      } else if (line.summary) {
        replace(said, verdict(line.summary, (performance.now() - began) / 1000));
      } else if (line.error) throw new ApiError(line.error.message, line.error.exception);
    };
    try {
      await readLines(address("/files/fsck", { path: normal(path.value) }), leaving.signal, take);
    } catch (error) {
      const far = progress.files === undefined ? "" : ` So far: ${checked(progress)}.`;
      if (!leaving.signal.aborted) replace(said, failure({ message: error.message + far }));
      else replace(said, el("p", { class: "muted" }, `Cancelled.${far}`));
    } finally {
      signal.removeEventListener("abort", stop.onclick);
      start.disabled = false;
      stop.hidden = true;
    }
  };
  return el("section", { class: "card table" }, el("h2", {}, "Check a tree"),
    el("p", { class: "muted" }, "Whether all blocks of all files are there, as fsck does."),
    el("form", { class: "check", onsubmit: run },
      el("label", { class: "field" }, "Path", path), start, stop), said, rows.node);
}

// Gives every line of JSON to `take` as it comes. Raises ApiError when the end never came.
async function readLines(target, signal, take) {
  const response = await ask(target, { signal, seconds: SECONDS_OF_A_CHECK });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const leave = () => reader.cancel().catch(() => {});
  signal.addEventListener("abort", leave);
  let rest = "";
  let last = {};
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) break;
      const [values, left] = takeLines(rest + value);
      rest = left;
      for (const one of values) take(last = one);
    }
  } catch (error) {
    leave();
    if (error instanceof TypeError) throw new ApiError("The gateway broke off.");
    throw error;
  } finally {
    signal.removeEventListener("abort", leave);
  }
  if (!last.summary) throw new ApiError("The gateway broke off before the end of the check.");
}

const checked = ({ files, directories, blocks }) => `${counted(files, "file")}, ${counted(
  directories, "directory", "directories")}, ${counted(blocks, "block")}`;

function verdict(sum, seconds) {
  const poor = sum.under_replicated + sum.misplaced;
  const kind = sum.damaged_files ? "bad" : poor ? "warn" : "good";
  const parts = [[sum.missing, "missing"], [sum.corrupt, "corrupt"],
    [sum.under_replicated, "with too few replicas"], [sum.misplaced, "all on one rack"]]
    .filter(([count]) => count).map(([count, words]) => `${counted(count, "block")} ${words}`);
  const words = sum.damaged_files
    ? `${counted(sum.damaged_files, "file")} cannot be read whole: ${parts.join(", ")}.`
    : poor ? `Everything can be read, but ${parts.join(", ")}.` : "Everything is healthy.";
  const open = sum.open_files ? ` ${counted(sum.open_files, "open file")} not checked.` : "";
  const left = sum.left_out ? ` ${counted(sum.left_out, "faulty file")} not shown here.` : "";
  return el("div", { class: `notice ${kind}` }, icon(kind), el("p", {}, `${words} Checked ${
    checked(sum)}, ${bytes(sum.size)}, in ${duration(seconds)}.${open}${left}`));
}

function trashCard(signal) {
  const rows = table("Trash", ["What", "Removed", ""]);
  const said = el("p", { class: "muted", role: "status" });
  const empty = button("Empty the trash", () => emptyTrash(look).catch(fail),
    { class: "danger", hidden: true });
  const fail = (error) => isAbort(error) || replace(said, failure(error, look));
  const look = async () => {
    if (signal.aborted) return;
    try {
      const told = await trash({ signal });
      rows.clear();
      for (const one of told.checkpoints) {
        rows.add(one.closed_ms ? baseName(one.path) : "Lately",
          one.closed_ms ? `until ${date(one.closed_ms)}` : "since the trash was last closed",
          el("a", { href: route(one.path) }, "Look and restore"));
      }
      empty.hidden = !told.checkpoints.length;
      const kept = told.minutes ? `Things stay in ${told.root} for ${duration(told.minutes * 60)}.`
        : "This cluster keeps no trash: trash_minutes of [client] is 0, and deleting is for good.";
      replace(said, told.checkpoints.length ? kept : `The trash is empty. ${kept}`);
    } catch (error) {
      fail(error);
    }
  };
  look();
  return el("section", { class: "card table" },
    el("div", { class: "head" }, el("h2", {}, "Your trash"), empty), rows.node, said);
}

function logCard(signal) {
  const lines = el("pre", { class: "log", tabindex: "0", "aria-label": "Lines of the log" });
  const said = el("div");
  const look = async () => {
    replace(said);
    try {
      const told = await askJson(address("/cluster/log"), { signal });
      lines.textContent = told.lines.map((line) =>
        `${clock(line.time_ms)} ${line.level.padEnd(7)} ${line.layer}: ${visible(line.text)}`)
        .join("\n") || "Nothing was logged yet.";
      lines.scrollTop = lines.scrollHeight;
    } catch (error) {
      lines.textContent = "";
      if (!isAbort(error)) replace(said, failure(error, look));
    }
  };
  look();
  return el("section", { class: "card" }, el("div", { class: "head" },
    el("h2", {}, "Last lines of this gateway's log"),
    button("Refresh", look, { class: "quiet" })), said, lines);
}
