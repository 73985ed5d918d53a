// Numbers, sizes, times and names as a person reads them. Pure: a value in, a text out.

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];

// Bytes in units of 1024, with three digits that count: 999 B, 1.50 KB, 12.3 GB.
export function bytes(count) {
  if (!Number.isFinite(count)) return "–";
  let value = Math.abs(count);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${count < 0 ? "−" : ""}${value.toFixed(digits)} ${UNITS[unit]}`;
}

export function number(count) {
  return Number.isFinite(count) ? Math.round(count).toLocaleString("en-US") : "–";
}

export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  if (value > 0 && value < 0.05) return "< 0.1 %";
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

// "1 file", "2 files".
export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

// A length of time, in its two largest units: 3 d 4 h, 12 min, 5 s, 40 ms.
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0.01) return `${Number((seconds * 1000).toPrecision(2))} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]
    .map(([size, unit], at, all) =>
      [Math.floor((at ? whole % all[at - 1][0] : whole) / size), unit]);
  const first = parts.findIndex(([value]) => value > 0);
  return parts.slice(first, first + 2).filter(([value]) => value > 0)
    .map((part) => part.join(" ")).join(" ");
}

// Milliseconds since 1970 as date and time of this machine's place: 2026-11-27 21:58.
export function date(milliseconds) {
  const at = new Date(milliseconds);
  // Some times that a file can be given are none of the calendar.
  if (!milliseconds || Number.isNaN(at.getTime())) return "–";
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

export function clock(milliseconds) {
  return new Date(milliseconds).toTimeString().slice(0, 8);
}

// A text in which nothing is hidden: characters that turn the direction of writing, end a line or
// print nothing are shown by their numbers.
export function visible(text) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// The permission bits of a file in the nine letters of ls -l: rwxr-xr-t.
export function permissions(bits) {
  const letters = [..."rwxrwxrwx"].map((letter, at) => (bits & (0o400 >> at) ? letter : "-"));
  if (bits & 0o1000) letters[8] = bits & 1 ? "t" : "T";
  return letters.join("");
}
