// The entries of a directory: what they are, their order, and which of them are seen. Pure.

// An entry of what WebHDFS tells of a file or directory, whose `size` is how many entries it has.
export function entryOf(status) {
  const isDirectory = status.type === "DIRECTORY";
  return {
    name: status.pathSuffix,
    isDirectory,
    size: isDirectory ? status.childrenNum : status.length,
    modified: status.modificationTime,
    owner: status.owner,
    group: status.group,
    mode: parseInt(status.permission, 8),
    replication: status.replication,
  };
}

// Directories come first, whatever the order; what is equal is ordered by name.
export function sorted(entries, key, ascending = true) {
  const way = ascending ? 1 : -1;
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return [...entries].sort((a, b) => b.isDirectory - a.isDirectory
    || way * compare(a[key], b[key]) || compare(a.name, b.name));
}

// Those with this text in their names, in any case.
export function matching(entries, text) {
  const wanted = text.toLowerCase();
  return wanted ? entries.filter((entry) => entry.name.toLowerCase().includes(wanted)) : entries;
}

// The rows [first, end) of `count` that are to be there when so many pixels are above and seen.
export function windowOf(above, seen, rowHeight, count, spare = 10) {
  const first = Math.max(0, Math.min(count, Math.floor(above / rowHeight)) - spare);
  return [first, Math.min(count, Math.ceil((above + seen) / rowHeight) + spare)];
}

// Which names are chosen, and where the person is: `cursor` and `anchor` are names, too, so that
// they stay where they are when the order changes.
export class Selection {
  constructor() {
    this.names = new Set();
    this.cursor = null;
    this.anchor = null;
  }

  only(name) {
    this.names = new Set([name]);
    this.cursor = this.anchor = name;
  }

  toggle(name) {
    if (!this.names.delete(name)) this.names.add(name);
    this.cursor = this.anchor = name;
  }

  // All from the anchor to a name, as they stand in `entries`.
  extend(entries, name) {
    const at = (wanted) => entries.findIndex((entry) => entry.name === wanted);
    const [from, to] = [at(this.anchor ?? this.cursor ?? name), at(name)].sort((a, b) => a - b);
    this.names = new Set(entries.slice(Math.max(0, from), to + 1).map((entry) => entry.name));
    this.cursor = name;
    this.anchor ??= name;
  }

  all(entries) {
    this.names = new Set(entries.map((entry) => entry.name));
  }

  clear() {
    this.names = new Set();
    this.anchor = null;
  }

  // What is not there any more is not chosen, either.
  keep(entries) {
    const there = new Set(entries.map((entry) => entry.name));
    for (const name of this.names) if (!there.has(name)) this.names.delete(name);
    if (!there.has(this.cursor)) this.cursor = null;
    if (!there.has(this.anchor)) this.anchor = null;
  }
}
