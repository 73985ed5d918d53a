// Who are you? A name, and where names are proved, a key.

import { el, failure, replace } from "./dom.js";
import { logIn } from "./identity.js";
import { session } from "./session.js";

const KEY_FILE_BYTES_MAX = 65536;

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
      ? ["Say who you are, and prove it by your web password, as ",
        el("code", {}, "pyhdfs issueKey --web"), " prints it."]
      : "This cluster believes names: say whose files you want to work with."),
    user, secret && [password, fileField(user, password, trouble)], trouble, enter);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    replace(trouble);
    enter.disabled = true;
    const given = new FormData(form);
    try {
      await logIn(given.get("user").trim(), given.get("password")?.trim());
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

// What a key file of `issueKey` says: whose it is, and the web password that its first key to the
// namenode is. Throws an Error for any other file.
export function readKeyFile(text) {
  const found = (pattern) => text.match(pattern)?.slice(1);
  const [user] = found(/^principal user:(\S+)$/m) || [];
  const [issued] = found(/^issued (\d{1,18})$/m) || [];
  const [id, key] = found(/^name_node ([0-9a-f]{16}) ([0-9a-f]{64})$/m) || [];
  if (!user || !issued || !key) {
    throw new Error("This is no user's key file: `issueKey` writes them, for each user one.");
  }
  const digits = id + BigInt(issued).toString(16).padStart(16, "0") + key;
  const letters = digits.match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16)));
  const word = btoa(letters.join("")).replaceAll("+", "-").replaceAll("/", "_");
  return { user, password: `w1${word}` };
}

function fileField(user, password, trouble) {
  const choose = el("input", { type: "file", onchange: async () => {
    const [file] = choose.files;
    replace(trouble);
    if (!file) return;
    try {
      // No more of it than a key file can be: who errs may have chosen a film.
      const read = readKeyFile(await file.slice(0, KEY_FILE_BYTES_MAX).text());
      user.querySelector("input").value = read.user;
      password.querySelector("input").value = read.password;
    } catch (error) {
      replace(trouble, failure(error));
    }
  } });
  return el("label", { class: "field" }, "or choose your key file", choose);
}

function field(label, name, attributes) {
  return el("label", { class: "field" }, label, el("input", {
    name, required: true, autocapitalize: "none", spellcheck: "false", ...attributes,
  }));
}
