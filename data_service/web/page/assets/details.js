// What is known of one file or directory: attributes, how much it holds, checksum, and where each
// block of a file is and how it is.

import { address, askJson, isAbort, webhdfs } from "./api.js";
import { openDialog } from "./dialogs.js";
import { badge, button, el, facts, failure, replace, waiting } from "./dom.js";
import { bytes, counted, date, number, permissions, visible } from "./format.js";
import { baseName } from "./paths.js";

export const STATES = {
  HEALTHY: ["good", "healthy"], UNDER_REPLICATED: ["warn", "too few replicas"],
  MISPLACED: ["warn", "all on one rack"], CORRUPT: ["bad", "corrupt"],
  MISSING: ["bad", "missing"], BEING_WRITTEN: ["", "being written"],
  LIVE: ["good", "good"], STALE_NODE: ["warn", "node is silent"],
  STALE_BLOCK_CONTENT: ["warn", "not yet confirmed"], EXCESS: ["", "surplus"],
};

export function stateBadge(state, count = "") {
  const [look, words] = STATES[state] || ["", state];
  return badge(look, `${count} ${words}`);
}

export async function details(path) {
  const leaving = new AbortController();
  const options = { signal: leaving.signal };
  const place = el("div", { class: "details" }, waiting("Looking…"));
  const look = async () => {
    try {
      const { FileStatus: status } = await webhdfs(path, "GETFILESTATUS", {}, options);
      replace(place, attributes(path, status), status.type === "FILE"
        ? [checksum(path, options), blockMap(path, options)] : holds(path, options));
    } catch (error) {
      if (!isAbort(error)) replace(place, failure(error, look));
    }
  };
  look();
  await openDialog({ title: visible(baseName(path) || "/"), wide: true, content: place });
  leaving.abort();
}

function attributes(path, status) {
  const file = status.type === "FILE";
  return facts(
    ["Path", el("span", { dir: "auto" }, visible(path))],
    file && ["Size", `${bytes(status.length)} (${number(status.length)} bytes)`],
    file && ["Replicas", status.replication],
    file && ["Size of blocks", bytes(status.blockSize)],
    ["Owner, group", `${status.owner}, ${status.group}`],
    ["Permissions", `${permissions(parseInt(status.permission, 8))} (${status.permission})`],
    ["Modified", date(status.modificationTime)],
    file && ["Read", date(status.accessTime)],
    ["Inode", status.fileId],
  );
}

// A part of the dialog that comes later, or fails by itself.
function later(fetching, words) {
  const place = el("div", {}, waiting("Counting…"));
  fetching.then((told) => replace(place, words(told)), (error) => {
    if (!isAbort(error)) replace(place, failure(error));
  });
  return place;
}

function holds(path, options) {
  // The root has the largest number for its quota of names.
  const limit = (value, used, form) =>
    (value < 0 || value >= 2 ** 62 ? "none" : `${form(used)} of ${form(value)}`);
  return later(webhdfs(path, "GETCONTENTSUMMARY", {}, options), ({ ContentSummary: sum }) => facts(
    ["Holds", `${counted(sum.fileCount, "file")}, ${counted(sum.directoryCount, "directory",
      "directories")}`],
    ["Size", `${bytes(sum.length)}; ${bytes(sum.spaceConsumed)} with all replicas`],
    ["Quota of names", limit(sum.quota, sum.fileCount + sum.directoryCount, number)],
    ["Quota of space", limit(sum.spaceQuota, sum.spaceConsumed, bytes)],
  ));
}

function checksum(path, options) {
  const place = el("div", {});
  const compute = () => {
    const asked = webhdfs(path, "GETFILECHECKSUM", {}, { ...options, seconds: 300 });
    replace(place, later(asked, ({ FileChecksum: sum }) => facts(
      ["Checksum", el("code", {}, sum.bytes)], ["Algorithm", sum.algorithm])));
  };
  return replace(place, button("Compute the checksum", compute));
}

function blockMap(path, options) {
  const list = el("ol", { class: "blocks" });
  const note = el("p", { class: "muted", role: "status" }, "Looking for blocks…");
  const more = button("Show more blocks", null, { hidden: true });
  const look = async (offset) => {
    more.hidden = true;
    try {
      const told = await askJson(address("/files/blocks", { path, offset }), options);
      list.append(...told.blocks.map(block));
      note.textContent = `${counted(told.total, "block")}${told.writer ? ", being written" : ""}`;
      more.hidden = told.next === null;
      more.onclick = () => look(told.next);
    } catch (error) {
      if (!isAbort(error)) replace(note, failure(error, () => look(offset)));
    }
  };
  look(0);
  return el("section", {}, el("h3", {}, "Blocks"), note, list, more);
}

function block(told) {
  const replicas = `${told.live} of ${told.wanted} good`;
  return el("li", {}, el("div", {}, el("code", {}, told.name), ` ${bytes(told.length)} `,
    stateBadge(told.state), el("span", { class: "muted" }, ` ${replicas}`
      + (told.copying ? `, ${told.copying} being copied` : "")
      + (told.leaving ? `, ${told.leaving} leaving` : ""))),
  el("ul", {}, told.holders.map((holder) => el("li", {},
    `${holder.host || "a datanode"}${holder.port ? `:${holder.port}` : ""} `,
    el("span", { class: "muted" }, holder.rack), " ", stateBadge(holder.state)))));
}
