// A look at a file: its head or its tail, as text, in hex, or as a picture. Nothing of it is ever
// run: text is text, and pictures are those of a few kinds that cannot hold code.

import { ask, isAbort, webhdfsAddress } from "./api.js";
import { openDialog } from "./dialogs.js";
import { button, el, failure, replace, waiting } from "./dom.js";
import { bytes, visible } from "./format.js";
import { baseName } from "./paths.js";

export const PIECE_BYTES = 32 << 10;
const PICTURE_BYTES_MAX = 16 << 20;

const PICTURES = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]], ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]], ["image/bmp", [0x42, 0x4d]],
];

// The kind of picture that begins with these bytes, "" for none.
export function pictureKind(data) {
  const begins = (mark) => mark.every((byte, at) => data[at] === byte);
  const found = PICTURES.find(([, mark]) => begins(mark));
  if (found) return found[0];
  const at = (from, to) => String.fromCharCode(...data.subarray(from, to));
  return at(0, 4) === "RIFF" && at(8, 12) === "WEBP" ? "image/webp" : "";
}

// Whether bytes are no text that a person could read.
export const isBinary = (data) => data.includes(0);

// Lines as of `hexdump -C`: where it is, sixteen bytes, and what is printed of them.
export function hexLines(data, offset) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = [...data.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0"));
    if (hex.length > 8) hex.splice(8, 0, "");
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "."));
    const place = (offset + at).toString(16).padStart(8, "0");
    lines.push(`${place}  ${hex.join(" ").padEnd(49)}  |${text.join("")}|`);
  }
  return lines.join("\n");
}

// The range [offset, length] of a file's head or tail.
export const piece = (size, tail) =>
  (tail ? [Math.max(0, size - PIECE_BYTES), Math.min(size, PIECE_BYTES)]
    : [0, Math.min(size, PIECE_BYTES)]);

async function fetched(path, offset, length, signal) {
  if (!length) return new Uint8Array();
  const response = await ask(webhdfsAddress(path, "OPEN", { offset, length, data: true }),
    { signal });
  return new Uint8Array(await response.arrayBuffer());
}

export async function preview(path, size) {
  const leaving = new AbortController();
  const shown = el("div", { class: "preview" });
  const state = { tail: false, form: "", url: "" };
  const look = async () => {
    replace(shown, waiting("Reading…"));
    const [offset, length] = piece(size, state.tail);
    try {
      const data = await fetched(path, offset, length, leaving.signal);
      const kind = offset === 0 && size <= PICTURE_BYTES_MAX ? pictureKind(data) : "";
      forms[2].disabled = !kind;
      const form = state.form || (kind ? "picture" : isBinary(data) ? "hex" : "text");
      forms.forEach((button) => press(button, button.dataset.form === form));
      if (form === "picture" && kind) await showPicture(kind, data);
      else if (form === "hex") replace(shown, el("pre", { tabindex: "0" }, hexLines(data, offset)));
      else replace(shown, el("pre", { tabindex: "0" }, new TextDecoder().decode(data)));
      note.textContent = size ? `${bytes(length)} from byte ${offset} of ${bytes(size)}`
        : "The file is empty.";
    } catch (error) {
      if (!isAbort(error)) replace(shown, failure(error, look));
    }
  };
  const showPicture = async (kind, data) => {
    const whole = data.length === size ? data : await fetched(path, 0, size, leaving.signal);
    URL.revokeObjectURL(state.url);
    state.url = URL.createObjectURL(new Blob([whole], { type: kind }));
    replace(shown, el("img", { src: state.url, alt: `Picture ${visible(baseName(path))}` }));
  };
  const choice = (label, form, change) => button(label, () => {
    change();
    look();
  }, { "data-form": form });
  const forms = [["Text", "text"], ["Hex", "hex"], ["Picture", "picture"]].map(([label, form]) =>
    choice(label, form, () => {
      state.form = form;
      if (form === "picture") turn(false);
    }));
  const turn = (tail) => {
    state.tail = tail;
    press(ends[0], !tail);
    press(ends[1], tail);
  };
  const ends = [choice("Head", "", () => turn(false)), choice("Tail", "", () => turn(true))];
  turn(false);
  const note = el("p", { class: "muted", role: "status" });
  look();
  await openDialog({ title: visible(baseName(path)), wide: true, content: [
    el("div", { class: "choices" }, el("div", { role: "group", "aria-label": "Part" }, ends),
      el("div", { role: "group", "aria-label": "Form" }, forms), note), shown] });
  leaving.abort();
  URL.revokeObjectURL(state.url);
}

const press = (button, pressed) => button.setAttribute("aria-pressed", pressed);
