// Finds out who looks at the page. In mode simple a name is believed, and the browser keeps it; in
// mode secret a cookie proves it, which this code never sees.

import { address, ApiError, askJson } from "./api.js";
import { session } from "./session.js";

const KEPT = "pyhdfs.user";

// Finds out who is there; in mode simple it is `name`. Raises ApiError.
export async function recognise(name = localStorage.getItem(KEPT) || "") {
  Object.assign(session, { mode: "simple", user: name });
  try {
    const { user, mode, superuser, home } = await askJson(address("/who"));
    Object.assign(session, {
      mode, user: mode === "simple" && !name ? "" : user, superuser: Boolean(superuser),
      home: home || `/user/${user}`,
    });
  } catch (error) {
    session.user = error.status === 404 ? name : "";
    if (error.status === 401) session.mode = "secret";
    else if (error.status === 400) localStorage.removeItem(KEPT);
    if (![401, 404].includes(error.status)) throw error;
  }
}

// Logs in, by name, and in mode secret by web password. Raises ApiError.
export async function logIn(user, password) {
  if (session.mode === "secret") {
    await askJson("/login", { method: "POST", json: { user, password } });
    await recognise();
  } else {
    await recognise(user);
    localStorage.setItem(KEPT, user);
  }
  if (!session.user) throw new ApiError("The gateway did not recognise you.");
}

export async function logOut() {
  localStorage.removeItem(KEPT);
  if (session.mode === "secret") await askJson("/logout", { method: "POST" });
  session.user = "";
}
