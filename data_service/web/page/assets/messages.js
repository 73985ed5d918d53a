// What the page tells a person besides the views: short messages that go by themselves, with a
// deed such as Undo where there is one.

import { button, el, icon } from "./dom.js";

const SECONDS = { good: 6, info: 6, warn: 12, bad: 20 };

// Shows a message of a kind: good, info, warn or bad. `action` is {label, run}; while the pointer
// or the focus is on a message it stays. Gives a function that takes it away.
export function toast(text, { kind = "info", action, seconds = SECONDS[kind] } = {}) {
  const area = document.getElementById("toasts");
  let timer = 0;
  const leave = () => {
    clearTimeout(timer);
    message.remove();
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(leave, seconds * 1000 * (action ? 2 : 1));
  };
  const stay = () => clearTimeout(timer);
  const act = () => {
    leave();
    action.run();
  };
  const message = el("div",
    {
      class: `toast ${kind}`, role: kind === "bad" ? "alert" : "status",
      onmouseenter: stay, onmouseleave: wait, onfocusin: stay, onfocusout: wait,
    },
    icon(kind), el("p", {}, text),
    action && button(action.label, act),
    button(icon("close"), leave, { class: "quiet", "aria-label": "Dismiss" }));
  area.append(message);
  while (area.children.length > 4) area.firstElementChild.remove();
  wait();
  return leave;
}

// Tells who listens to the page, and shows nothing.
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
