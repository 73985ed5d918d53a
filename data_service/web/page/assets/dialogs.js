// Questions that must be answered first: dialogs, which hold the focus and end with Escape.

import { button, el, failure, replace } from "./dom.js";

// Opens a dialog and waits until it ends: what `submit` gave, or null for a cancelled one.
// `content` is what stands in its form. `submit` gets the form's values; while it runs the dialog
// waits, and what it throws is shown there. Without `confirm` it has only a button to close it.
export function openDialog({ title, content, confirm, cancel = "Cancel", danger = false,
  wide = false, submit = () => true }) {
  return new Promise((resolve) => {
    let result = null;
    const trouble = el("div");
    const sure = confirm && el("button",
      { type: "submit", class: danger ? "danger" : "primary" }, confirm);
    const form = el("form", { method: "dialog", novalidate: true },
      el("h2", { id: "dialog-title" }, title), content, trouble,
      el("div", { class: "buttons" },
        button(confirm ? cancel : "Close", () => dialog.close()),
        sure));
    const dialog = el("dialog", { "aria-labelledby": "dialog-title", class: wide ? "wide" : "" },
      form);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!confirm || sure.disabled || !form.reportValidity()) return;
      replace(trouble);
      sure.disabled = true;
      try {
        result = await submit(Object.fromEntries(new FormData(form)), form);
        dialog.close();
      } catch (error) {
        replace(trouble, failure(error));
      } finally {
        sure.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Asks whether to do something: true or false.
export async function confirmed(title, text, { confirm = "OK", danger = false } = {}) {
  return Boolean(await openDialog({ title, content: el("p", {}, text), confirm, danger }));
}

// Asks for one line of text, null when cancelled. `check` throws for what cannot be, or does what
// the text is for; then the dialog stays until it is done.
export function askText(title, label, { value = "", confirm = "OK", check = () => {} } = {}) {
  const field = el("input", { name: "text", value, required: true, autocomplete: "off",
    spellcheck: "false", autofocus: true });
  return openDialog({
    title,
    confirm,
    content: el("label", { class: "field" }, label, field),
    submit: async ({ text }) => {
      await check(text);
      return text;
    },
  });
}
