// How the cluster is: the health in a sentence, its figures, and the last hour.

import { address, askJson } from "./api.js";
import { lineChart } from "./charts.js";
import { badge, el, facts, icon, renew, replace, roomBar } from "./dom.js";
import { bytes, duration, number, percent, visible } from "./format.js";
import { announce } from "./messages.js";
import { keepFresh } from "./refresh.js";

const SECONDS = 5;

// Severities of the gateway, with what they look like and the word for who sees no colours.
const SEVERITIES = {
  good: ["good", "Healthy"], warning: ["warn", "Needs attention"], critical: ["bad", "Critical"],
};

export async function show(place, { signal }) {
  const health = el("section", { "aria-label": "Health" });
  const cards = el("div", { class: "cards" });
  const charts = {
    throughput: lineChart("Throughput of datanodes", (value) => `${bytes(value)}/s`, 1024),
    operations: lineChart("Operations", (value) => `${plain(value)}/s`),
    latency: lineChart("Latency of calls", (value) => duration(value / 1000)),
  };
  let said = "";
  let shown = false;
  await keepFresh(SECONDS, signal, async () => {
    const [now, past] = await Promise.all(["overview", "history"].map(
      (name) => askJson(address(`/cluster/${name}`), { signal })));
    renew(health, healthPanel(now.health));
    renew(cards, cardsOf(now));
    drawHistory(charts, past);
    if (said && said !== now.health.sentence) announce(now.health.sentence);
    said = now.health.sentence;
    if (shown) return;
    shown = true;
    replace(place, el("h1", { class: "unseen" }, "Overview"), health, cards,
      el("section", { class: "charts", "aria-label": "The last hour" }, Object.values(charts)));
  });
}

// The worst first, in large letters; what else is wrong below it.
function healthPanel({ severity, sentence, advice, more }) {
  const [look, word] = SEVERITIES[severity];
  return el("div", { class: `card health ${look}` }, icon(look), el("div", {},
    el("p", { class: "word" }, word), el("p", { class: "sentence" }, visible(sentence)),
    advice && el("p", {}, visible(advice)), more.length > 0 && el("ul", {}, more.map(finding))));
}

function finding({ severity, sentence, advice }) {
  const [look, word] = SEVERITIES[severity];
  return el("li", { class: look }, icon(look), el("div", {},
    el("span", { class: "unseen" }, `${word}: `), el("b", {}, visible(sentence)), " ",
    visible(advice)));
}

function cardsOf({ answers, capacity, namespace, blocks, safe_mode: safeMode, datanodes, daemons,
  ...rest }) {
  if (!answers) return [daemonsCard(daemons)];
  return [capacityCard(capacity), namespaceCard(namespace, safeMode),
    blocksCard(blocks, namespace), datanodesCard(datanodes), daemonsCard(daemons),
    clusterCard(rest)];
}

function card(title, ...content) {
  return el("section", { class: "card" }, el("h2", {}, title), content);
}

function big(value, words) {
  return el("p", { class: "big" }, value, el("span", { class: "muted" }, ` ${words}`));
}

function capacityCard(room) {
  const { total, used, other, remaining } = room;
  return card("Capacity", big(bytes(used), `of ${bytes(total)} used`), roomBar(total, room),
    facts(["Used", percent(used / total)], ["Free", bytes(remaining)],
      ["Other than blocks", bytes(other)]));
}

function namespaceCard({ files, directories, open_files: open }, safeMode) {
  const known = files !== null;
  return card("Namespace", known && big(number(files), files === 1 ? "file" : "files"),
    facts(["Directories", known ? number(directories) : null],
      ["Being written", open === null ? null : number(open)],
      ["Safe mode", safeMode.on ? badge("warn", "On") : badge("good", "Off")]),
    safeMode.on && el("p", { class: "muted" }, safeMode.reason));
}

// A count of what should not be.
function amiss(count, look) {
  return count ? badge(look, number(count)) : number(0);
}

function blocksCard(blocks, { blocks: total }) {
  return card("Blocks", big(number(total), total === 1 ? "block" : "blocks"), facts(
    ["Missing", amiss(blocks.missing, "bad")], ["Corrupt", amiss(blocks.corrupt, "bad")],
    ["Too few replicas", amiss(blocks.under_replicated, "warn")],
    ["Being copied", number(blocks.pending_replication)],
    ["To be removed", number(blocks.removals)]));
}

function datanodesCard({ live, stale, dead, absent, failed_directories: failed }) {
  return card("Datanodes", big(number(live), "live"),
    facts(["Stale", amiss(stale, "warn")], ["Dead", amiss(dead, "bad")],
      ["Never came", absent ? badge("warn", number(absent)) : null],
      ["Failed directories", amiss(failed, "warn")]),
    el("a", { href: "#/datanodes" }, "See each of them"));
}

// What a state of a daemon looks like, and is called.
const STATES = {
  leads: ["good", "leads"], standby: ["good", "stands by"], up: ["good", "up"],
  barred: ["info", "up, not open to us"], down: ["bad", "no answer"],
};

// The datanodes, which may be thousands, have a page of their own.
function daemonsCard(daemons) {
  return card("Services", el("ul", { class: "daemons" },
    daemons.filter(({ role }) => role !== "data_node").map((daemon) => {
      const [look, word] = STATES[daemon.state];
      return el("li", { title: daemon.error }, el("b", {}, ROLES[daemon.role] || daemon.role),
        badge(look, word), el("p", { class: "muted" }, visible(daemon.address)));
    })));
}

const ROLES = {
  name_node: "Namenode", metadata: "Metadata service", zookeeper: "Zookeeper", gateway: "Gateway",
};

function clusterCard({ version, uptime_seconds: uptime, cluster_id: cluster, epoch }) {
  return card("Cluster", big(uptime === null ? "–" : duration(uptime), "up"),
    facts(["Version", version && visible(version)], ["Term of the leader", number(epoch)],
      ["Identity", el("code", {}, visible(cluster))]));
}

function plain(value) {
  return value >= 100 ? number(value) : String(Number(value.toFixed(value < 10 ? 2 : 1)));
}

function drawHistory(charts, past) {
  const of = (name, key) => ({ name, values: past[key] });
  charts.throughput.draw(past.times_ms, [of("Read", "bytes_out"), of("Written", "bytes_in")]);
  charts.operations.draw(past.times_ms, [of("Calls", "operations")]);
  charts.latency.draw(past.times_ms, [of("Median", "p50_ms"), of("99 % below", "p99_ms")]);
}
