// Finds out who looks at the page. In mode simple a name is believed, and the browser keeps it; in
// mode secret a cookie proves it, which this code never sees.

import { address, ApiError, askJson } from "./api.js";
import { session } from "./session.js";

const KEPT = "pyhdfs.user";

// Finds out who is there. Raises ApiError when the gateway does not answer.
export async function recognise() {
  session.mode = "simple";
  session.user = localStorage.getItem(KEPT) || "";
  try {
    become(await askJson(address("/who")));
  } catch (error) {
    if (error.status === 401) Object.assign(session, { mode: "secret", user: "" });
    else if (error.status !== 404) throw error;
  }
}

// Logs in, by name, and in mode secret by web password. Raises ApiError.
export async function logIn(user, password) {
  if (session.mode === "simple") {
    localStorage.setItem(KEPT, user);
    await recognise();
  } else become(await askJson("/login", { method: "POST", json: { user, password } }));
  if (!session.user) throw new ApiError("The gateway did not recognise you.");
}

export async function logOut() {
  localStorage.removeItem(KEPT);
  if (session.mode === "secret") await askJson("/logout", { method: "POST" });
  session.user = "";
}

function become({ user, mode, superuser, home }) {
  const named = mode !== "simple" || localStorage.getItem(KEPT);
  Object.assign(session, {
    mode, user: named ? user : "", superuser: Boolean(superuser), home: home || `/user/${user}`,
  });
}
