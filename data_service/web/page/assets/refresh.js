// Views that stay fresh: asked again and again, but not while nobody looks.

import { isAbort } from "./api.js";
import { clock } from "./format.js";

// Runs `look` now and `seconds` after each end of it, until `signal`; not while the page is hidden.
// A failed look is told once, at the top, with the time of the last good one, and tried again.
export function keepFresh(seconds, signal, look) {
  let timer = 0;
  let busy = false;
  let last = 0;
  const contact = document.getElementById("contact");
  const once = async () => {
    clearTimeout(timer);
    if (busy || document.hidden || signal.aborted) return;
    busy = true;
    try {
      await look(signal);
      last = Date.now();
      contact.textContent = "";
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      const since = last ? ` What you see is of ${clock(last)}.` : "";
      contact.textContent = `${error.message}${since} Trying again every ${seconds} s.`;
    } finally {
      busy = false;
      if (!signal.aborted) timer = setTimeout(once, seconds * 1000);
    }
  };
  document.addEventListener("visibilitychange", once, { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    contact.textContent = "";
  });
  return once();
}
