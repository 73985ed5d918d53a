// The frame: which view the address names, who looks at it, and in which colours.

import { isAbort } from "./api.js";
import { el, failure, replace, waiting } from "./dom.js";
import { logOut, recognise } from "./identity.js";
import { announce, toast } from "./messages.js";
import { session } from "./session.js";

// A view is a module with show(place, {path, signal}), which may be async: it fills `place`; `path`
// is what follows its name in the address, decoded; `signal` ends when the person goes elsewhere.
const VIEWS = {
  overview: ["Overview", () => import("./overview.js")],
  datanodes: ["Datanodes", () => import("./datanodes.js")],
  files: ["Files", () => import("./files.js")],
  operations: ["Operations", () => import("./operations.js")],
};

const main = document.getElementById("main");
let leaving = new AbortController();

// #/files/a%20b → ["files", "/a b"].
export function parseRoute(hash) {
  const [name, ...rest] = hash.replace(/^#\/?/, "").split("/");
  let path = "/";
  try {
    path += rest.map(decodeURIComponent).join("/");
  } catch {
    // Somebody typed a percent sign: then it is the root.
  }
  return [Object.hasOwn(VIEWS, name) ? name : "overview", path];
}

async function show() {
  if (location.hash === "#main") return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [name, path] = parseRoute(location.hash);
  const [title, load] = VIEWS[name];
  showWho();
  for (const link of document.querySelectorAll("#navigation a")) {
    if (session.user && link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${session.user ? title : "Log in"} · PyHDFS`;
  const place = el("div", { class: `view ${name}` });
  replace(main, place);
  if (!session.user) {
    (await import("./login.js")).show(place, { done: show });
    return;
  }
  replace(place, waiting("Looking…"));
  try {
    await (await load()).show(place, { path, signal });
  } catch (error) {
    if (!isAbort(error) && !signal.aborted) replace(place, failure(error, show));
  }
}

function showWho() {
  document.getElementById("who").textContent = session.user;
  document.getElementById("leave").hidden = !session.user;
  document.getElementById("navigation").hidden = !session.user;
}

async function leave() {
  try {
    await logOut();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  // Where one person was is of no concern to the next.
  history.replaceState(null, "", "#/");
  show();
}

// The colours are those of the system, until the person chooses others.
const night = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const theme = localStorage.getItem("pyhdfs.theme");
  const dark = theme ? theme === "dark" : night.matches;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  const button = document.getElementById("theme");
  button.textContent = dark ? "☀" : "☾";
  button.title = dark ? "Light colours" : "Dark colours";
  button.setAttribute("aria-label", button.title);
}

function turn() {
  const chosen = localStorage.getItem("pyhdfs.theme");
  if (chosen) localStorage.removeItem("pyhdfs.theme");
  else localStorage.setItem("pyhdfs.theme", night.matches ? "light" : "dark");
  paint();
}

async function start() {
  replace(main, waiting("Looking who you are…"));
  try {
    await recognise();
  } catch (error) {
    replace(main, failure(error, start));
    return;
  }
  await show();
}

async function goTo() {
  await show();
  if (location.hash === "#main") return;
  // A view may have put the person where its keys work.
  if (!main.querySelector(":focus")) main.focus({ preventScroll: true });
  announce(document.title);
}

paint();
night.addEventListener("change", paint);
document.getElementById("theme").addEventListener("click", turn);
document.getElementById("leave").addEventListener("click", leave);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", goTo);
document.addEventListener("unknown-visitor", () => {
  if (!session.user) return;
  session.user = "";
  toast("You are not logged in any more.", { kind: "warn" });
  show();
});
start();
