// The datanodes, one in a row: which live, what they hold, what has failed.

import { address, askJson } from "./api.js";
import { badge, el, replace, roomBar } from "./dom.js";
import { bytes, counted, duration, number, visible } from "./format.js";
import { keepFresh } from "./refresh.js";
import { sortedTable } from "./tables.js";

const SECONDS = 5;

// What a state looks like, the worst first.
const STATES = { absent: "bad", dead: "bad", stale: "warn", live: "good" };

const COLUMNS = [
  { key: "address", title: "Datanode", look: "title", value: (node) => node.address,
    show: (node) => el("b", {}, visible(node.address) || "not told") },
  { key: "state", title: "State", value: (node) => Object.keys(STATES).indexOf(node.state),
    show: state },
  { key: "rack", title: "Rack", value: (node) => node.rack, show: (node) =>
    el("span", { class: "whole" }, visible(node.rack)) },
  { key: "used", title: "Used", value: share, show: capacity },
  { key: "blocks", title: "Blocks", look: "right", value: (node) => node.blocks,
    show: (node) => (node.capacity ? number(node.blocks) : "–") },
  { key: "volumes", title: "Volumes", value: (node) => -node.failed_directories, show: volumes },
  { key: "contact", title: "Last contact", look: "right",
    value: (node) => node.last_contact_seconds ?? Infinity,
    show: (node) => (node.last_contact_seconds === null ? "never"
      : `${duration(node.last_contact_seconds)} ago`) },
  { key: "version", title: "Version", value: (node) => node.version ?? "", show: (node) =>
    el("div", {}, visible(node.version ?? "–"),
      node.uptime_seconds !== null && node.state !== "dead"
      && el("p", { class: "muted whole" }, `up ${duration(node.uptime_seconds)}`)) },
];

export async function show(place, { signal }) {
  const table = sortedTable({
    caption: "Datanodes", columns: COLUMNS, empty: "No datanode has reported yet.",
    id: (node) => node.node_id || node.address,
    text: (node) => [node.address, node.state, node.rack, node.version].join(" "),
  });
  const search = el("input", { type: "search", placeholder: "Host, state, rack …",
    "aria-label": "Search datanodes", oninput: () => table.search(search.value) });
  const summary = el("p", { class: "muted" });
  let shown = false;
  await keepFresh(SECONDS, signal, async () => {
    const { answers, datanodes } = await askJson(address("/cluster/datanodes"), { signal });
    table.draw(datanodes);
    const counts = Object.keys(STATES).reverse().map(
      (word) => [datanodes.filter((node) => node.state === word).length, word]);
    summary.textContent = answers
      ? counts.filter(([count, word]) => count || word === "live")
        .map((one) => one.join(" ")).join(" · ")
      : "No namenode leads: this is what the datanodes say themselves.";
    if (shown) return;
    shown = true;
    replace(place, el("div", { class: "head" }, el("div", {}, el("h1", {}, "Datanodes"), summary),
      search), el("div", { class: "card table" }, table));
  });
}

function share(node) {
  return node.capacity ? node.used / node.capacity : 0;
}

function capacity(node) {
  // Only a namenode that leads tells of it.
  if (!node.capacity) return "–";
  return el("div", { class: "usage" }, el("span", {}, `${bytes(node.used)} `,
    el("span", { class: "muted" }, `of ${bytes(node.capacity)}`)),
  roomBar(node.capacity, node));
}

function state(node) {
  const service = node.service_state === "In Service" ? "" : visible(node.service_state);
  return [badge(STATES[node.state] || "warn", node.state, node.error),
    service && el("p", { class: "muted" }, service)];
}

// The directories of a datanode, each with its state; those that it does not tell are only counted.
function volumes(node) {
  const failed = node.failed_directories;
  const sum = failed ? badge("bad", `${number(failed)} failed`)
    : node.directories.length ? counted(node.directories.length, "volume") : "none failed";
  if (!node.directories.length) return sum;
  return el("details", {}, el("summary", {}, sum), el("ul", { class: "volumes" },
    node.directories.map(({ path, state: how, capacity: size, remaining, blocks }) => el("li", {},
      el("code", {}, visible(path)), el("p", { class: how === "working" ? "muted" : "trouble" },
        how, blocks !== null && `, ${counted(blocks, "block")}`,
        `, ${bytes(remaining)} of ${bytes(size)} free`)))));
}
