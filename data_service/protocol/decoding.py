"""Values that a peer sent, rebuilt as what their type says, or refused.

Theory of operation. A message is a NamedTuple, and its annotations say what may be in it: that one
description is the check, too. So an odd answer (too few fields, a number where a host should be, a
NUL in a name) is met where it enters, as a ProtocolViolation, and not in the middle of whatever
works with it later. Most messages are flat and right, and there are many (a listing has a row for
each file): for those a few comparisons of whole rows do.
"""

from functools import lru_cache
from math import inf
from operator import itemgetter
from typing import (
    Any,
    Callable,
    Dict,
    List,
    NoReturn,
    Tuple,
    Type,
    TypeVar,
    get_args,
    get_origin,
    overload,
)

from data_service.protocol.blocks import INTEGER_MAX
from zookeeper.fabric.errors import ProtocolViolation

Decoder = Callable[[Any, str], Any]
"""(value, where it stands) -> the value rebuilt."""

Kind = TypeVar("Kind")

_SHOWN_CHARACTERS = 40

LIMITS: Dict[str, Tuple[int, int]] = {
    "port": (1, 65535),
    "mode": (0, 0o7777),
    **dict.fromkeys(
        ("block_id", "generation", "length", "offset", "position", "block_size", "replication",
         "replicas", "inode_id", "file_id", "capacity", "used", "remaining", "directories",
         "files", "crc_count"),
        (0, INTEGER_MAX),
    ),
}
"""Ranges of whole numbers by the name of their field; others are of 64 bits with a sign."""


@overload
def decode(kind: Type[Kind], value: Any) -> Kind: ...  # noqa: E704


@overload
def decode(kind: Any, value: Any) -> Any: ...  # noqa: E704


def decode(kind: Any, value: Any) -> Any:
    """`value` as a `kind`: int, str, bytes, bool, float, a NamedTuple, or a Tuple of such.

    Raises ProtocolViolation. Lists count as tuples, since JSON knows no others.
    """
    return _decoder(kind)(value, "")


@lru_cache(maxsize=None)
def _decoder(kind: Any) -> Decoder:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) is tuple:
        items = get_args(kind)
        if len(items) == 2 and items[1] is Ellipsis:
            return _run_of(_decoder(items[0]))
        return _fixed(tuple, "", [(str(place), item) for place, item in enumerate(items)], 0)
    fields = list(kind.__annotations__.items())
    return _fixed(kind, kind.__name__, fields, len(kind._field_defaults))


def _run_of(item: Decoder) -> Decoder:
    def run(value: Any, where: str) -> Tuple[Any, ...]:
        if type(value) not in (tuple, list):
            _refuse(where, "a list", value)
        return tuple([item(part, where) for part in value])

    return run


def _fixed(kind: Any, name: str, fields: List[Tuple[str, Any]], defaults: int) -> Decoder:
    """Decodes a row of these fields, of which the last `defaults` may be missing."""
    places = [f"{name}.{field}" if name else field for field, _ in fields]
    decoders = [_bounded(kind, field) for field, kind in fields]
    is_right = _quick_check(fields)
    make: Callable[[Any], Any] = getattr(kind, "_make", kind)
    least = len(fields) - defaults

    def fixed(value: Any, where: str) -> Any:
        if type(value) not in (tuple, list) or not least <= len(value) <= len(fields):
            _refuse(where or name, f"{len(fields)} fields", value)
        if is_right(value):
            return make(value)
        whole = [decoder(part, place) for decoder, part, place in zip(decoders, value, places)]
        if len(whole) < len(fields):
            # Of an older peer, which does not know the last fields yet.
            return kind(*whole)
        return make(whole)

    return fixed


def _quick_check(fields: List[Tuple[str, Any]]) -> Callable[[Any], bool]:
    """Whether a row is all right, as far as that can be told at a glance."""
    kinds = tuple(kind for _, kind in fields)
    texts = [place for place, kind in enumerate(kinds) if kind is str]
    ranges = [(place, *LIMITS.get(field, (-INTEGER_MAX - 1, INTEGER_MAX)))
              for place, (field, kind) in enumerate(fields) if kind is int]
    # One alone would come without a tuple around it.
    texts_of = itemgetter(*texts) if len(texts) > 1 else lambda row: [row[p] for p in texts]

    def is_right(row: Any) -> bool:
        if tuple(map(type, row)) != kinds:
            return False
        for place, low, high in ranges:
            if not low <= row[place] <= high:
                return False
        text = "".join(texts_of(row))
        return "\0" not in text and (text.isascii() or _is_unicode(text))

    return is_right


def _bounded(kind: Any, field: str) -> Decoder:
    if kind is not int or field not in LIMITS:
        return _decoder(kind)
    low, high = LIMITS[field]

    def bounded(value: Any, where: str) -> int:
        if type(value) is not int or not low <= value <= high:
            _refuse(where, f"a whole number from {low} to {high}", value)
        return value

    return bounded


def _integer(value: Any, where: str) -> int:
    if type(value) is not int or not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
        _refuse(where, "a whole number", value)
    return value


def _float(value: Any, where: str) -> float:
    # Some is whole, and crosses the wire as that. What never happened was an infinite time ago.
    if type(value) not in (int, float) or not (abs(value) <= INTEGER_MAX or value == inf):
        _refuse(where, "a number", value)
    return float(value)


def _text(value: Any, where: str) -> str:
    if type(value) is not str or "\0" in value or not _is_unicode(value):
        _refuse(where, "text", value)
    return value


def _exactly(kind: type, meaning: str) -> Decoder:
    def exactly(value: Any, where: str) -> Any:
        if type(value) is not kind:
            _refuse(where, meaning, value)
        return value

    return exactly


def _is_unicode(text: str) -> bool:
    """Whether text can be written in UTF-8: a half of a surrogate pair cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _refuse(where: str, wanted: str, value: Any) -> NoReturn:
    # Not the value of a number: Python refuses to write down those of very many digits.
    shown = type(value).__name__ if type(value) is int else ascii(value)[:_SHOWN_CHARACTERS]
    place = f"{where}: " if where else ""
    raise ProtocolViolation(f"a malformed answer: {place}expected {wanted}, found {shown}")


_PLAIN: Dict[Any, Decoder] = {
    int: _integer,
    float: _float,
    str: _text,
    bytes: _exactly(bytes, "bytes"),
    bool: _exactly(bool, "true or false"),
}
