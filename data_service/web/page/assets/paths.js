// Paths of the cluster, taken apart and put together. Pure.

export const NAME_BYTES_MAX = 255;

export const join = (directory, name) => `${directory === "/" ? "" : directory}/${name}`;
export const parent = (path) => path.slice(0, path.lastIndexOf("/")) || "/";
export const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

// The path as the cluster knows it: from the root, without empty names, `.` and `..`; a relative
// one begins at `directory`.
export function normal(path, directory = "/") {
  const parts = [];
  for (const part of (path.startsWith("/") ? path : `${directory}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

export const isBelow = (path, top) => path.startsWith(top === "/" ? "/" : `${top}/`);

// Every directory on the way to a path and itself, as [name, path]; the root has no name.
export function crumbs(path) {
  const found = [["", "/"]];
  for (const name of path.split("/").filter(Boolean)) {
    found.push([name, join(found[found.length - 1][1], name)]);
  }
  return found;
}

// Where the page shows a path.
export const route = (path) => `#/files${path.split("/").map(encodeURIComponent).join("/")}`;

// What is wrong with a name for a file, in words; "" for a good one.
export function nameFault(name) {
  if (!name) return "A name is needed.";
  if (name === "." || name === "..") return "This name means a directory already.";
  if (name.includes("/")) return "A name cannot have a slash in it.";
  if (name.includes("\0")) return "A name cannot have a zero byte in it.";
  const length = new TextEncoder().encode(name).length;
  return length > NAME_BYTES_MAX
    ? `The name has ${length} bytes, and ${NAME_BYTES_MAX} is the most.` : "";
}
