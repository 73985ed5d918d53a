// Removing things: to the trash, from where they come back, or for good.

import { address, askJson, webhdfs } from "./api.js";
import { confirmed } from "./dialogs.js";
import { bytes, counted, number, visible } from "./format.js";
import { toast } from "./messages.js";
import { baseName, isBelow } from "./paths.js";

const AT_ONCE = 4;

// What the gateway tells of the trash: its root, its checkpoints, and for how many minutes it keeps
// things, 0 when it is not used.
export const trash = (options) => askJson(address("/files/trashed"), options);

// FILE or DIRECTORY, whichever is at a path, null when nothing is.
export const typeOf = async (path) => (await askJson(address("/files/there", { path }))).type;

const tell = (path) => `“${visible(baseName(path))}”`;
export const named = (paths) => (paths.length === 1 ? tell(paths[0])
  : counted(paths.length, "thing"));

// Does something to each path, a few at once; gives [path, what came of it] of those that it went
// well with, and tells of the first that it did not. What takes long says so, and can be stopped.
export async function each(paths, deed) {
  const [done, failed] = [[], []];
  let at = 0;
  let leave = () => {};
  const stop = () => (at = paths.length);
  const timer = setInterval(() => {
    leave();
    leave = toast(`${number(done.length + failed.length)} of ${counted(paths.length, "thing")}…`,
      { seconds: 600, action: { label: "Stop", run: stop } });
  }, 2000);
  const work = async () => {
    while (at < paths.length) {
      const path = paths[at++];
      try {
        done.push([path, await deed(path)]);
      } catch (error) {
        failed.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  clearInterval(timer);
  leave();
  if (failed.length) {
    const more = failed.length > 1 ? ` And ${counted(failed.length - 1, "more")} failed.` : "";
    toast(failed[0].message + more, { kind: "bad" });
  }
  return done;
}

// A rename to this path exactly, which fails when something is there.
export const rename = (path, destination) =>
  webhdfs(path, "RENAME", { destination, renameoptions: "NONE" }, { method: "PUT" });

// Removes things, after asking where that cannot be undone; `gone` hears which are not there any
// more, `done` that some are back.
export async function remove(paths, gone, done, forGood = false) {
  const { root, minutes } = await trash();
  const lies = (path) => path === root || isBelow(path, root);
  if (forGood || !minutes || paths.some(lies)) {
    gone(await deleteForGood(paths));
    return;
  }
  const post = (path) => askJson(address("/files/trash", { path }), { method: "POST" });
  const moved = await each(paths, post);
  gone(moved.map(([path]) => path));
  if (!moved.length) return;
  const undo = async () => {
    const places = new Map(moved);
    const back = await each([...places.keys()], (path) => rename(places.get(path).place, path));
    if (back.length) toast(`Brought ${named(back.map(([path]) => path))} back.`, { kind: "good" });
    done();
  };
  toast(`Moved ${named(moved.map(([path]) => path))} to the trash.`,
    { kind: "good", action: { label: "Undo", run: undo }, seconds: 20 });
}

async function deleteForGood(paths) {
  const what = named(paths);
  if (!await confirmed(`Delete ${what}?`, "It does not go to the trash: it cannot be undone.",
    { confirm: "Delete…", danger: true })) return [];
  const sums = await each(paths, (path) => webhdfs(path, "GETCONTENTSUMMARY"));
  const sum = (key) => sums.reduce((all, [, told]) => all + told.ContentSummary[key], 0);
  const holds = `${counted(sum("fileCount"), "file")} with ${bytes(sum("length"))}`;
  if (!await confirmed(`Really delete ${what} for good?`, `That is ${holds}. Nobody can bring this
    back.`, { confirm: "Delete for good", danger: true })) return [];
  const gone = await each(paths, (path) =>
    webhdfs(path, "DELETE", { recursive: true }, { method: "DELETE", seconds: 600 }));
  const names = gone.map(([path]) => path);
  if (gone.length) toast(`Deleted ${named(names)} for good.`, { kind: "good" });
  return names;
}

// Brings things back from the trash to where they were.
export async function restore(paths, done) {
  const back = await each(paths, (path) =>
    askJson(address("/files/restore", { path }), { method: "POST" }));
  if (back.length) {
    const where = back.length === 1 ? visible(back[0][1].place) : "their places";
    toast(`Brought ${named(back.map(([path]) => path))} back to ${where}.`, { kind: "good" });
  }
  done();
}

// Empties the trash, after asking.
export async function emptyTrash(done) {
  if (!await confirmed("Empty the trash?", "Everything in your trash is deleted for good.",
    { confirm: "Empty the trash", danger: true })) return;
  await askJson(address("/files/expunge", { immediate: true }), { method: "POST", seconds: 600 });
  toast("The trash is empty.", { kind: "good" });
  done();
}
