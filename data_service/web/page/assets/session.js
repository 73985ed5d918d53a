// Who looks at the page, for all to read; identity.js finds it out, and alone changes it.

// `user` is "" while nobody is logged in; `mode` is simple or secret, "" before we know; `home` is
// the directory of the user, where relative names begin.
export const session = { user: "", mode: "", superuser: false, home: "/" };
