// What a person can change of files: each asks in a dialog, which stays until it is done.

import { ApiError, webhdfs } from "./api.js";
import { askText, openDialog } from "./dialogs.js";
import { el } from "./dom.js";
import { visible } from "./format.js";
import { toast } from "./messages.js";
import { baseName, join, nameFault, normal, parent } from "./paths.js";
import { each, named, rename, typeOf } from "./removal.js";

const put = (path, op, query) => webhdfs(path, op, query, { method: "PUT" });

function checked(name) {
  const fault = nameFault(name);
  if (fault) throw new ApiError(fault);
  return name;
}

export function makeDirectory(directory) {
  return askText("New directory", "Name", { confirm: "Make", check: async (name) => {
    const path = join(directory, checked(name));
    if (await typeOf(path)) throw new ApiError(`${visible(name)} is there already.`);
    await put(path, "MKDIRS");
  } });
}

export function renameEntry(path) {
  return askText(`Rename ${named([path])}`, "New name", { value: baseName(path),
    confirm: "Rename", check: async (name) => {
      if (name !== baseName(path)) await rename(path, join(parent(path), checked(name)));
    } });
}

export function move(paths, directory) {
  return askText(`Move ${named(paths)}`, "To the directory", { value: directory, confirm: "Move",
    check: async (text) => {
      const to = normal(text, directory);
      if (await typeOf(to) !== "DIRECTORY") {
        throw new ApiError(`There is no directory ${visible(to)}.`);
      }
      if (paths.length === 1) await rename(paths[0], join(to, baseName(paths[0])));
      else await each(paths, (path) => rename(path, join(to, baseName(path))));
      toast(`Moved ${named(paths)} to ${visible(to)}.`, { kind: "good" });
    } });
}

// One dialog over several entries: what fails for one is told after the others.
async function overAll({ word, entries, directory, content, deed, note }) {
  return openDialog({
    title: `${word} ${named(entries.map((entry) => entry.name))}`,
    confirm: "Set",
    content: [content, note && el("p", { class: "muted" }, note)],
    submit: async (values) => {
      const paths = entries.map((entry) => join(directory, entry.name));
      if (paths.length === 1) await deed(paths[0], values);
      else await each(paths, (path) => deed(path, values));
      return true;
    },
  });
}

const field = (label, name, value, more = {}) => el("label", { class: "field" }, label,
  el("input", { name, value, autocomplete: "off", spellcheck: "false", ...more }));

const WHO = ["Owner", "Group", "Others"];
const WHAT = ["Read", "Write", "Enter or run"];

export function permissionsOf(entries, directory) {
  const first = entries[0].mode;
  const octal = el("input", { name: "octal", value: first.toString(8).padStart(3, "0"),
    pattern: "[01]?[0-7]{3}", required: true, autocomplete: "off", inputmode: "numeric",
    title: "Three octal digits, or four that begin with 0 or 1", oninput: () => {
      if (octal.checkValidity()) fill(parseInt(octal.value, 8));
    } });
  const box = (bit, label) => el("input", { type: "checkbox", "aria-label": label, "data-bit": bit,
    onchange: () => {
      const bits = boxes.reduce((all, one) => all + (one.checked ? Number(one.dataset.bit) : 0), 0);
      octal.value = bits.toString(8).padStart(3, "0");
    } });
  const rows = WHO.map((who, at) => [who, WHAT.map((what, column) =>
    box(0o400 >> (3 * at + column), `${who}: ${what.toLowerCase()}`))]);
  const sticky = box(0o1000, "Sticky");
  const boxes = [...rows.flatMap(([, row]) => row), sticky];
  const fill = (bits) => boxes.forEach((one) => {
    one.checked = Boolean(bits & Number(one.dataset.bit));
  });
  fill(first);
  const grid = el("table", { class: "bits" },
    el("thead", {}, el("tr", {}, el("td"), WHAT.map((what) => el("th", { scope: "col" }, what)))),
    el("tbody", {}, rows.map(([who, row]) => el("tr", {}, el("th", { scope: "row" }, who),
      row.map((one) => el("td", {}, one))))));
  return overAll({
    word: "Permissions of", entries, directory,
    content: [grid, el("label", { class: "line" }, sticky,
      "Sticky: only owners remove what is in the directory"),
    el("label", { class: "field" }, "In octal digits", octal)],
    note: entries.some((entry) => entry.isDirectory)
      && "What is in a directory keeps its own permissions.",
    deed: (path, { octal: permission }) => put(path, "SETPERMISSION", { permission }),
  });
}

export function ownerOf(entries, directory) {
  return overAll({
    word: "Owner of", entries, directory,
    content: [field("Owner", "owner", entries[0].owner), field("Group", "group", entries[0].group)],
    note: "Only the superuser gives things to another owner.",
    deed: (path, { owner, group }) => {
      const before = entries.find((entry) => join(directory, entry.name) === path);
      if (owner === before.owner && group === before.group) return null;
      return put(path, "SETOWNER", { owner: owner === before.owner ? "" : owner,
        group: group === before.group ? "" : group });
    },
  });
}

export function replicationOf(entries, directory) {
  return overAll({
    word: "Replicas of", entries, directory,
    content: field("Replicas of each block", "replication", entries[0].replication,
      { type: "number", min: 1, max: 512, required: true }),
    note: "They come or go in the background.",
    deed: async (path, { replication }) => {
      const told = await put(path, "SETREPLICATION", { replication });
      if (!told.boolean) throw new ApiError(`${visible(path)} is no file: it has no replicas.`);
    },
  });
}

export async function quotaOf(entries, directory) {
  const told = await webhdfs(join(directory, entries[0].name), "GETQUOTAUSAGE");
  const { quota, spaceQuota } = told.QuotaUsage;
  const value = (limit) => (limit < 0 ? "" : limit);
  const numeric = { type: "number", min: 1, step: 1, placeholder: "no limit" };
  return overAll({
    word: "Quota of", entries, directory,
    content: [field("Most files and directories", "names", value(quota), numeric),
      field("Most bytes of all replicas", "space", value(spaceQuota), numeric)],
    note: "Empty fields are no limit. Only the superuser sets quotas.",
    deed: (path, { names, space }) => put(path, "SETQUOTA",
      { namespacequota: names || -1, storagespacequota: space || -1 }),
  });
}
