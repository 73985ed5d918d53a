"""Names as people may see them: one line, and nothing that commands a terminal.

A name may hold line breaks and escape sequences. Whoever makes such a file could write lines of
reports, or words on the terminal of whoever lists it.
"""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """The text with `\\n`, `\\x1b`, `\\u202e` for each character that is not printed as itself."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _SHORT.get(c) or _number(ord(c)) for c in text)


def _number(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
