"""truncate: files that get shorter."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session


def truncate(session: Session, words: List[str]) -> None:
    """Cut files off at a length."""
    # It is done when the call returns, so there is nothing to wait for with -w.
    arguments = parse(words, "w", least=2).arguments
    length = _length(session, arguments.pop(0))

    def act(item: Item) -> None:
        item.check_file()
        if length > item.found.length:
            raise UsageError(
                "Cannot truncate to a larger file size. "
                f"Current size: {item.found.length}, truncate size: {length}."
            )
        item.store.truncate(item.path, length)
        session.out.line(f"Truncated {item.text} to length: {length}")

    session.each(arguments, act)


def _length(session: Session, text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    # As Java reads a long: more digits than it has are no number either.
    number = digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) < 20
    if not number or int(digits) >= 1 << 63:
        session.warn("Illegal length, a non-negative integer expected")
        raise UsageError(f'For input string: "{text}"')
    if text.startswith("-") and int(digits):
        raise UsageError("length must be >= 0")
    return int(digits)
