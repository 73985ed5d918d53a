// Finds out who looks at the page. In mode simple a name is believed, and the browser keeps it; in
// mode secret a cookie proves it, which this code never sees.

import { address, ApiError, askJson } from "./api.js";
import { session } from "./session.js";

const KEPT = "pyhdfs.user";
const SECONDS = 10;

// Finds out who is there. Raises ApiError.
export async function recognise() {
  const name = localStorage.getItem(KEPT) || "";
  try {
    await identify(name);
  } catch (error) {
    if (error.status === 400) localStorage.removeItem(KEPT);
    if (error.status === 400 || !name) throw error;
    // The cluster does not answer just now; who was believed before may see that.
    Object.assign(session, { mode: "simple", user: name, superuser: false });
  }
}

// Logs in, by name, and in mode secret by web password. Raises ApiError.
export async function logIn(user, password) {
  if (session.mode === "secret") {
    become(await askJson("/login", { method: "POST", json: { user, password } }), user);
  } else {
    await identify(user);
    localStorage.setItem(KEPT, user);
  }
  if (!session.user) throw new ApiError("The gateway did not recognise you.");
}

export async function logOut() {
  localStorage.removeItem(KEPT);
  if (session.mode === "secret") await askJson("/logout", { method: "POST" });
  session.user = "";
}

// In mode simple it is `name`, and nobody while there is none.
async function identify(name) {
  Object.assign(session, { mode: "simple", user: name });
  try {
    become(await askJson(address("/who"), { seconds: SECONDS }), name);
  } catch (error) {
    session.user = "";
    if (error.status !== 401) throw error;
    session.mode = "secret";
    if (!name) return;
    // It was kept when names were believed here. Now it would only speak against the cookie.
    localStorage.removeItem(KEPT);
    await identify("");
  }
}

function become({ user, mode, superuser, home }, name) {
  Object.assign(session, { mode, user: mode === "simple" && !name ? "" : user, superuser, home });
}
