// Uploads: a queue that goes on while the person looks elsewhere in the page. Each file is sent by
// the browser from its disk as it is read, so it may be larger than memory.

import { refusal, webhdfsAddress } from "./api.js";
import { openDialog } from "./dialogs.js";
import { bar, button, el, replace } from "./dom.js";
import { bytes, counted, duration, percent, visible } from "./format.js";
import { announce, toast } from "./messages.js";
import { baseName, join, nameFault, parent } from "./paths.js";
import { typeOf } from "./removal.js";

const AT_ONCE = 2;
const SHOWN_MAX = 200;

const waiting = [];
const running = new Set();
const touched = new Set();
let results = { good: 0, bad: 0 };
let panel = null;

// What is uploaded as [path below a directory, File]: of a file input, with the folders it names.
export function ofInput(files) {
  return [...files].map((file) => [file.webkitRelativePath || file.name, file]);
}

// The same of what was dropped, folders with all that is in them.
export async function ofDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return ofInput(transfer.files);
  const found = [];
  const walk = async (entry, above) => {
    const path = above + entry.name;
    if (entry.isFile) {
      found.push([path, await new Promise((good, bad) => entry.file(good, bad))]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((good, bad) => reader.readEntries(good, bad));
      if (!some.length) return;
      for (const one of some) await walk(one, `${path}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

// Puts files into the queue. What is there already is replaced only when the person says so.
export async function upload(directory, files) {
  let forAll = "";
  for (const [below, file] of files) {
    const path = join(directory, below);
    const fault = below.split("/").map(nameFault).find(Boolean);
    if (fault) {
      toast(`${visible(below)} was not uploaded: ${fault}`, { kind: "bad" });
      continue;
    }
    let overwrite = false;
    try {
      const told = await typeOf(path);
      if (told === "DIRECTORY") throw new Error("a directory of that name is there.");
      if (told) {
        const answer = forAll || await askReplace(path, files.length > 1);
        if (answer?.all) forAll = answer;
        if (!answer?.replace) continue;
        overwrite = true;
      }
    } catch (error) {
      toast(`${visible(below)} was not uploaded: ${error.message}`, { kind: "bad" });
      continue;
    }
    waiting.push({ path, file, overwrite });
    next();
  }
}

// {replace, all}: whether to replace what is there, and whether that is for all that follow.
async function askReplace(path, several) {
  let keep = false;
  const all = el("input", { type: "checkbox", name: "all" });
  const answer = await openDialog({
    title: `${visible(baseName(path))} is there already`,
    confirm: "Replace",
    cancel: "Skip",
    danger: true,
    content: [el("p", {}, `In ${visible(parent(path))}. Its old content would be lost.`),
      several && el("label", { class: "line" }, all, "Do the same with all that follow")],
    submit: () => (keep = true),
  });
  return { replace: Boolean(answer) && keep, all: all.checked };
}

function next() {
  while (running.size < AT_ONCE && waiting.length) send(waiting.shift());
  showPanel();
}

function send(task) {
  const request = new XMLHttpRequest();
  const began = performance.now();
  task.cancel = () => request.abort();
  task.row = row(task);
  running.add(task);
  request.upload.onprogress = ({ loaded }) => {
    const total = task.file.size;
    const seconds = (performance.now() - began) / 1000;
    const rate = loaded / Math.max(seconds, 0.001);
    const left = total - loaded > rate ? `, ${duration((total - loaded) / rate)} left` : "";
    const words = `${percent(total ? loaded / total : 1)} of ${bytes(total)}, `
      + `${bytes(rate)}/s${left}`;
    tell(task, loaded >= total ? "Storing…" : words, bar(total ? loaded / total : 1, words));
  };
  request.onload = () => {
    if (request.status === 201) end(task, "Done", "good");
    else end(task, refusal(request.status, request.responseText).message, "bad");
  };
  request.onerror = () => end(task, "The gateway cannot be reached, or broke off.", "bad");
  request.onabort = () => end(task, "Cancelled: nothing was stored.", "warn");
  request.open("PUT",
    webhdfsAddress(task.path, "CREATE", { overwrite: task.overwrite, data: true }));
  request.setRequestHeader("X-Requested-By", "page");
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(task.file);
}

function end(task, words, kind) {
  running.delete(task);
  touched.add(parent(task.path));
  results[kind === "good" ? "good" : "bad"] += 1;
  const again = kind !== "good" && button("Again", () => {
    task.row.remove();
    upload(parent(task.path), [[baseName(task.path), task.file]]);
  }, { class: "quiet" });
  tell(task, words, null, again);
  task.row.classList.add(kind);
  if (!running.size && !waiting.length) finish();
  next();
}

function finish() {
  const bad = results.bad ? `, ${counted(results.bad, "upload")} failed or cancelled` : "";
  announce(`${counted(results.good, "file")} uploaded${bad}`);
  results = { good: 0, bad: 0 };
  document.dispatchEvent(new CustomEvent("uploaded", { detail: [...touched] }));
  touched.clear();
}

function row(task) {
  const name = visible(baseName(task.path));
  const cancel = button("Cancel", () => task.cancel(),
    { class: "quiet", "aria-label": `Cancel ${name}` });
  return el("li", {}, el("span", { class: "name", dir: "auto", title: visible(task.path) }, name),
    el("span", { class: "deeds" }, cancel),
    el("div", { class: "state" }, el("span", { class: "muted" }, "Begins…")));
}

function tell(task, words, progress, deed = null) {
  const state = task.row.querySelector(".state");
  replace(state, progress, el("span", { class: "muted" }, words));
  if (!progress) replace(task.row.querySelector(".deeds"), deed);
}

function showPanel() {
  if (!panel) {
    const list = el("ul");
    const title = el("h2");
    const close = button("", () => {
      for (const task of [...waiting.splice(0), ...running]) task.cancel?.();
      panel.node.remove();
      panel = null;
    }, { class: "quiet" });
    const node = el("section", { class: "uploads card", "aria-label": "Uploads" },
      el("div", { class: "head" }, title, close), list);
    panel = { node, list, title, close };
    document.body.append(node);
  }
  const left = waiting.length + running.size;
  const failed = panel.list.querySelectorAll("li.bad").length;
  panel.title.textContent = left ? `Uploading, ${counted(left, "file")} left`
    : failed ? `${counted(failed, "upload")} failed` : "Uploads are done";
  panel.close.textContent = left ? "Cancel all" : "Close";
  for (const { row: one } of running) if (!one.parentNode) panel.list.prepend(one);
  while (panel.list.children.length > SHOWN_MAX) panel.list.lastElementChild.remove();
}

addEventListener("beforeunload", (event) => {
  if (running.size || waiting.length) event.preventDefault();
});
