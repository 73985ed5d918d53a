"""What keeps people from using a page who see little, use no mouse, or hear it."""

from typing import List

from tests.support.browser.browser import Browser

FOCUSABLE_MAX = 100
"""A view that takes so many strokes of Tab is no view for the keyboard."""

# For text: 4.5 to 1, or 3 to 1 when it is large, as WCAG 2 asks of level AA.
_CONTRAST = """
    const parse = (text) => {
        const parts = text.match(/[\\d.]+/g).map(Number);
        return text.startsWith("color(srgb")
            ? [parts[0] * 255, parts[1] * 255, parts[2] * 255, parts[3] ?? 1]
            : [parts[0], parts[1], parts[2], parts[3] ?? 1];
    };
    const over = (front, back) => [0, 1, 2].map((i) =>
        front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
    const behind = (it) => {
        const layers = [];
        for (let at = it; at; at = at.parentElement) {
            const layer = parse(getComputedStyle(at).backgroundColor);
            if (layer[3] > 0) layers.unshift(layer);
            if (layer[3] === 1) break;
        }
        return layers.reduce((back, front) => over(front, back), [255, 255, 255, 1]);
    };
    const light = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((part) => part / 255).map((part) =>
            part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (a, b) => {
        const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };
    const found = new Set();
    const check = (it, colour, words) => {
        const style = getComputedStyle(it);
        const back = behind(it);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const is = ratio(over(parse(colour), back), back);
        if (is < (large ? 3 : 4.5)) found.add(`contrast ${is.toFixed(1)}: ${words.trim()}`);
    };
    const hidden = (it) => it.closest(":disabled, [aria-disabled=true], .unseen")
        || !it.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const it = walker.currentNode.parentElement;
        const words = walker.currentNode.textContent;
        if (!words.trim() || it instanceof SVGElement || hidden(it)) continue;
        check(it, getComputedStyle(it).color, words);
    }
    for (const it of document.querySelectorAll("[placeholder]")) {
        if (!it.value && !hidden(it)) {
            check(it, getComputedStyle(it, "::placeholder").color, it.placeholder);
        }
    }
    return [...found];
"""

_STRUCTURE = """
    const found = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    if (!document.documentElement.lang) found.push("the page says not in which language it is");
    if (all("main").length !== 1) found.push("there is not one main part");
    if (all("h1").length !== 1) found.push(`there are ${all("h1").length} first headings`);
    for (const it of all("img:not([alt])")) found.push(`a picture without words: ${it.src}`);
    const ids = all("[id]").map((it) => it.id);
    for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) {
        found.push(`two things are called #${id}`);
    }
    for (const word of ["labelledby", "describedby", "controls", "activedescendant"]) {
        for (const it of all(`[aria-${word}]`)) {
            for (const id of it.getAttribute(`aria-${word}`).split(" ")) {
                if (!document.getElementById(id)) found.push(`aria-${word} to nothing: ${id}`);
            }
        }
    }
    for (const it of all("th > button")) {
        if (!it.checkVisibility()) continue;
        const sorted = all("th[aria-sort=ascending], th[aria-sort=descending]")
            .filter((head) => head.closest("table") === it.closest("table"));
        if (sorted.length !== 1) found.push(`no one column is sorted by, at ${it.innerText}`);
    }
    return found;
"""

_OUTLINED = """
    const style = getComputedStyle(document.activeElement);
    const around = getComputedStyle(document.activeElement.parentElement);
    const drawn = (one) => one.outlineStyle !== "none" && parseFloat(one.outlineWidth) > 0;
    return document.activeElement === document.body || drawn(style) || style.boxShadow !== "none"
        || document.activeElement.closest(":focus-within") !== null && drawn(around)
        || document.activeElement.matches("[role=grid]");
"""

_REACHED = """
    const it = document.activeElement;
    if (reached.has(it)) return "again";
    reached.add(it);
    return it === document.body ? "end" : "new";
"""

_NAMED = "input:not([type=hidden]), select, textarea, button, a[href], [role=grid], dialog"


def faults(browser: Browser) -> List[str]:
    """What is amiss in what is seen now, a sentence each."""
    found: List[str] = [*browser.script(_CONTRAST), *browser.script(_STRUCTURE)]
    for element in browser.find(_NAMED):
        if not browser.name_of(element).strip():
            markup = browser.script("return arguments[0].outerHTML", element)
            found.append(f"without a name: {markup}")
    return found


def by_tab(browser: Browser) -> List[str]:
    """What Tab comes to, by its name, from the beginning of the page to its end; what does not
    show that it has the focus says so in its name."""
    browser.script("window.reached = new Set();")
    around: List[str] = []
    for _ in range(FOCUSABLE_MAX):
        browser.press("Tab")
        state = browser.script(_REACHED)
        if state == "again":
            # It began somewhere amid the page.
            first = next((at for at, name in enumerate(around) if not name), -1) + 1
            return [name for name in around[first:] + around[:first] if name]
        shown = browser.script(_OUTLINED)
        name = browser.focused if state == "new" else ""
        around.append(name if shown else f"{name} (focus not shown)")
    raise AssertionError(f"Tab never comes round: {around}")
