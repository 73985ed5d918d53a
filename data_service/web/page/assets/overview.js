import { el, replace } from "./dom.js";

export function show(place) {
  replace(place, el("h1", {}, "Overview"));
}
