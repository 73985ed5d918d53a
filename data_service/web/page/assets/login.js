// Who are you? A name, and where names are proved, a key.

import { el, failure, replace } from "./dom.js";
import { logIn } from "./identity.js";
import { session } from "./session.js";

// Shows the form; `done` is called when somebody is logged in.
export function show(place, { done }) {
  const secret = session.mode === "secret";
  const trouble = el("div");
  const user = field("User name", "user", { autocomplete: "username" });
  const password = field("Web password", "password",
    { type: "password", autocomplete: "current-password" });
  const enter = el("button", { type: "submit", class: "primary" }, "Log in");
  const form = el("form", { class: "card login" },
    el("h1", {}, "Log in"),
    el("p", { class: "muted" }, secret
      ? "Say who you are, and prove it by your web password."
      : "This cluster believes names: say whose files you want to work with."),
    user, secret && password, trouble, enter);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    replace(trouble);
    enter.disabled = true;
    const given = new FormData(form);
    try {
      await logIn(given.get("user").trim(), given.get("password"));
      done();
    } catch (error) {
      replace(trouble, failure(error));
    } finally {
      enter.disabled = false;
    }
  });
  replace(place, form);
  user.querySelector("input").focus();
}

function field(label, name, attributes) {
  return el("label", { class: "field" }, label, el("input", {
    name, required: true, autocapitalize: "none", spellcheck: "false", ...attributes,
  }));
}
