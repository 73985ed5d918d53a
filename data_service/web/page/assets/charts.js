// Small charts of lines over time. The drawing stretches to its place; its words are HTML, so that
// they do not.

import { el, replace, svg } from "./dom.js";
import { clock } from "./format.js";

const WIDTH = 600;
const HEIGHT = 140;

// A chart as an element with `draw(times, series)`: times in milliseconds since 1970, ascending;
// of each of series {name, values}, with null where nothing is known, a line. `format` says a
// value, in units that grow by `base`.
export function lineChart(title, format, base = 1000) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none",
    role: "img" });
  const most = el("span", { class: "most" });
  const from = el("span");
  const till = el("span");
  const legend = el("p", { class: "legend" });
  const plot = el("div", { class: "plot" }, drawing, most);
  const figure = el("figure", { class: "card chart" },
    el("figcaption", {}, el("h2", {}, title), legend), plot,
    el("div", { class: "times" }, from, till));
  let shown = { times: [], series: [] };

  // What stands in the legend: the values at one place in time, usually the last.
  const tell = (at, when = "") => replace(legend, when && el("span", { class: "muted" }, when),
    shown.series.map(({ name, values }, index) => el("span", { class: `key line-${index}` },
      `${name} `, el("b", {}, told(values[at], format)))));
  const point = (event) => {
    const { times } = shown;
    if (times.length < 2) return;
    const { left, width } = plot.getBoundingClientRect();
    const moment = times[0] + ((event.clientX - left) / width) * (times.at(-1) - times[0]);
    const at = nearest(times, moment);
    tell(at, clock(times[at]));
  };
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerleave", () => tell(shown.times.length - 1));

  figure.draw = (times, series) => {
    shown = { times, series };
    const known = series.flatMap(({ values }) => values).filter(Number.isFinite);
    const top = roundUp(Math.max(0, ...known), base);
    replace(drawing, grid(), series.map(({ values }, index) => lines(times, values, top, index)));
    const said = series.map(({ name, values }) => summary(name, values, format)).join("; ");
    drawing.setAttribute("aria-label", `${title}: ${known.length ? said : "no figures yet"}`);
    most.textContent = known.length ? format(top) : "No figures yet: they come every few seconds";
    from.textContent = times.length > 1 ? clock(times[0]).slice(0, 5) : "";
    till.textContent = times.length > 1 ? clock(times.at(-1)).slice(0, 5) : "";
    tell(times.length - 1);
  };
  return figure;
}

// The least of 1, 2, 5, 10, 20 … of a unit that is not below a value.
export function roundUp(value, base = 1000) {
  if (!(value > 0)) return 1;
  const unit = base ** Math.floor(Math.log(value) / Math.log(base));
  const size = 10 ** Math.floor(Math.log10(value / unit));
  const steps = [1, 2, 5, 10].find((step) => step * size * unit >= value * 0.9999) * size;
  return (steps < 1000 ? steps : base) * unit;
}

function grid() {
  return [0.5, HEIGHT / 2, HEIGHT - 0.5].map((y) => svg("path", {
    class: "grid", d: `M0 ${y}H${WIDTH}` }));
}

// One line, with the ground below it; where values are unknown it is broken.
function lines(times, values, top, index) {
  const span = times.at(-1) - times[0] || 1;
  const runs = [[]];
  values.forEach((value, at) => {
    if (!Number.isFinite(value)) runs.push([]);
    else {
      const x = ((times[at] - times[0]) / span) * WIDTH;
      runs.at(-1).push([x.toFixed(1), (HEIGHT - 1 - (value / top) * (HEIGHT - 4)).toFixed(1)]);
    }
  });
  return runs.filter((run) => run.length).map((run) => {
    const along = run.map((point) => point.join(" ")).join("L");
    return [
      svg("path", { class: `ground line-${index}`,
        d: `M${run[0][0]} ${HEIGHT}L${along}L${run.at(-1)[0]} ${HEIGHT}Z` }),
      // A point by itself is a line to itself: its round ends are seen.
      svg("path", { class: `line line-${index}`, d: `M${along}L${run.at(-1).join(" ")}` }),
    ];
  });
}

function nearest(times, moment) {
  let best = 0;
  times.forEach((time, at) => {
    if (Math.abs(time - moment) < Math.abs(times[best] - moment)) best = at;
  });
  return best;
}

function told(value, format) {
  return Number.isFinite(value) ? format(value) : "–";
}

function summary(name, values, format) {
  const known = values.filter(Number.isFinite);
  return `${name} ${told(values.at(-1), format)} now, ${told(Math.max(...known), format)} at most`;
}
