"""Values that cross the wire: what their types say is checked, rebuilt, or refused.

Theory of operation. A message is a NamedTuple, and its annotations say what may be in it: that one
description is the check, too. So an odd value (too few fields, a number where a host should be, a
NUL in a name) is met where it enters, and not in the middle of whatever works with it later. What a
type cannot say, a rule says beside it: `Port = Annotated[int, Between(1, 65535)]`. Types are exact:
a subclass, or a bool in a number's place, can behave like anything.

A row may have more fields than its type: a newer peer added them, and they are passed over. It may
lack the last ones that have defaults: an older peer does not know them. So processes of
neighbouring releases understand each other while they are replaced one by one.

Most rows are flat and right, and there are many (a listing has one for each file): for those a few
comparisons of whole rows do. Long lists travel as one bytes value (`Rows`): JSON is C code, RPyC's
own serializer is Python (measured: 5 against 30 microseconds a row).
"""

import json
from functools import lru_cache
from math import inf
from operator import itemgetter
from typing import (
    Annotated,
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    NoReturn,
    Tuple,
    Type,
    TypeVar,
    Union,
    get_args,
    get_origin,
    overload,
)

from zookeeper.fabric.errors import ProtocolViolation

Decoder = Callable[[Any, str], Any]
"""(value, where it stands) -> the value rebuilt; raises Malformed."""

Kind = TypeVar("Kind")

INTEGER_MAX = 2**63 - 1
"""The highest number that fits into a signed integer of 8 bytes."""

TEXT_CHARACTERS_MAX = 65536
"""Longer texts are refused before anybody looks at them, or puts them into a message."""

_SHOWN_CHARACTERS = 60


class Malformed(ValueError):
    """A value is not what its kind says. Whoever asked makes an error of the family of it."""


class Between:
    """Numbers from `low` to `high`."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def allows(self, value: Any) -> bool:
        """Whether a value of the right type is in the range."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


class Length:
    """Texts, and lists, and runs of bytes of `least` to `most` items."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def allows(self, value: Any) -> bool:
        """Whether it is as long as it should be."""
        return self.least <= len(value) <= self.most

    def __str__(self) -> str:
        return f"{self.least} to {self.most} of them"


class Printable(Length):
    """Texts that are shown to people as they are."""

    def allows(self, value: Any) -> bool:
        """Whether nothing in it moves a cursor or ends a line."""
        return super().allows(value) and value.isprintable()

    def __str__(self) -> str:
        return f"{self.least} to {self.most} printable characters"


class Unread:
    """Texts whose characters are judged elsewhere, in words of its own: those of a path."""

    def allows(self, _value: Any) -> bool:
        """Whatever is in it."""
        return True


Natural = Annotated[int, Between(0, INTEGER_MAX)]
Port = Annotated[int, Between(1, 65535)]
Label = Annotated[str, Printable(1, 255)]
PerhapsLabel = Annotated[str, Printable(0, 255)]
Text = Annotated[str, Unread(), Length(0, TEXT_CHARACTERS_MAX)]
"""What a person or a program wrote; only its length is judged here."""


class _Packed:
    """Marks a list of rows that travels as one bytes value."""


Row = TypeVar("Row")
Rows = Annotated[List[Row], _Packed()]


@overload
def decode(kind: Type[Kind], value: Any) -> Kind: ...  # noqa: E704


@overload
def decode(kind: Any, value: Any) -> Any: ...  # noqa: E704


def decode(kind: Any, value: Any) -> Any:
    """A peer's answer as a `kind`: int, str, bytes, bool, float, None, a NamedTuple, a Tuple or
    Union of such, or one of them Annotated with rules.

    Raises ProtocolViolation. Lists count as tuples, since JSON knows no others.
    """
    try:
        return decoder_of(kind)(value, "")
    except Malformed as error:
        raise ProtocolViolation(f"a malformed answer: {error}") from None


def pack_rows(rows: Iterable[Tuple[Any, ...]]) -> bytes:
    """Rows of plain values (no bytes among them) as one bytes value."""
    return json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


@lru_cache(maxsize=None)
def decoder_of(kind: Any) -> Decoder:
    """What rebuilds a value of this kind; made once for each."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) is Annotated:
        base, *rules = get_args(kind)
        if any(isinstance(rule, _Packed) for rule in rules):
            return _unpacked(get_args(base)[0])
        unread = any(isinstance(rule, Unread) for rule in rules)
        return _ruled(_exactly(str, "text") if unread else decoder_of(base), base, rules)
    if get_origin(kind) is Union:
        return _one_of(get_args(kind))
    if get_origin(kind) is tuple:
        items = get_args(kind)
        if len(items) == 2 and items[1] is Ellipsis:
            return _run_of(decoder_of(items[0]))
        return _fixed(tuple, "", [(str(place), item) for place, item in enumerate(items)], 0)
    fields = list(kind.__annotations__.items())
    return _fixed(kind, kind.__name__, fields, len(kind._field_defaults))


@lru_cache(maxsize=None)
def packs(kind: Any) -> Callable[[Any], Any]:
    """What makes a result of this kind ready to cross: its Rows become bytes."""
    if get_origin(kind) is Annotated and any(isinstance(r, _Packed) for r in get_args(kind)[1:]):
        return pack_rows
    if get_origin(kind) is tuple:
        packers = [_as_it_is if item is Ellipsis else packs(item) for item in get_args(kind)]
        if any(packer is not _as_it_is for packer in packers):
            return lambda result: tuple(
                [packer(item) for packer, item in zip(packers, result)]
            )
    return _as_it_is


def _as_it_is(result: Any) -> Any:
    return result


def _ruled(decoder: Decoder, base: Any, rules: List[Any]) -> Decoder:
    def ruled(value: Any, where: str) -> Any:
        value = decoder(value, where)
        for rule in rules:
            if not rule.allows(value):
                _refuse(where, f"{_noun(base)}{rule}", value)
        return value

    return ruled


def _noun(base: Any) -> str:
    return {str: "text: ", bytes: "bytes: ", int: "", float: ""}.get(base, "a list: ")


def _one_of(kinds: Tuple[Any, ...]) -> Decoder:
    """The first of several kinds that a value is; for Optional, None is tried first."""
    decoders = [decoder_of(kind) for kind in sorted(kinds, key=lambda kind: kind is not type(None))]

    def one_of(value: Any, where: str) -> Any:
        for decoder in decoders[:-1]:
            try:
                return decoder(value, where)
            except Malformed:
                continue
        return decoders[-1](value, where)

    return one_of


def _run_of(item: Decoder) -> Decoder:
    def run(value: Any, where: str) -> Tuple[Any, ...]:
        if type(value) not in (tuple, list):
            _refuse(where, "a list", value)
        return tuple([item(part, where) for part in value])

    return run


def _unpacked(item: Any) -> Decoder:
    run = _run_of(decoder_of(item))

    def unpacked(value: Any, where: str) -> List[Any]:
        if type(value) is not bytes:
            _refuse(where, "a list of rows", value)
        try:
            rows = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"a list of rows that is none: {error}") from None
        return list(run(rows, where))

    return unpacked


def _fixed(kind: Any, name: str, fields: List[Tuple[str, Any]], defaults: int) -> Decoder:
    """Decodes a row of these fields, of which the last `defaults` may be missing."""
    places = [f"{name}.{field}" if name else field for field, _ in fields]
    decoders = [decoder_of(kind) for _, kind in fields]
    is_right = _quick_check([kind for _, kind in fields])
    make: Callable[[Any], Any] = getattr(kind, "_make", kind)
    known, least = len(fields), len(fields) - defaults
    shapes = (tuple, list, kind)

    def fixed(value: Any, where: str) -> Any:
        if type(value) not in shapes or len(value) < least:
            _refuse(where or name, f"{known} fields", value)
        if len(value) > known:
            value = value[:known]
        if is_right(value):
            return make(value)
        whole = [decoder(part, place) for decoder, part, place in zip(decoders, value, places)]
        return kind(*whole) if kind is not tuple else tuple(whole)

    return fixed


def _quick_check(kinds: List[Any]) -> Callable[[Any], bool]:
    """Whether a row is all right, as far as that can be told at a glance."""
    bases = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]
    rules = [get_args(kind)[1:] if get_origin(kind) is Annotated else () for kind in kinds]
    texts = [place for place, base in enumerate(bases) if base is str]
    ranges = []
    lengths: List[Tuple[int, Length]] = []
    for place, (base, own) in enumerate(zip(bases, rules)):
        if base is int:
            bounds = [rule for rule in own if isinstance(rule, Between)]
            ranges += [(place, rule.low, rule.high) for rule in bounds or (_ANY_INTEGER,)]
        elif base is str and all(isinstance(rule, (Length, Unread)) for rule in own):
            lengths += [(place, rule) for rule in own if isinstance(rule, Length)]
        elif own or base not in _SIMPLE:
            return lambda row: False  # Only a closer look can tell.
    exact = tuple(bases)
    # One alone would come without a tuple around it.
    texts_of = itemgetter(*texts) if len(texts) > 1 else lambda row: [row[p] for p in texts]

    def is_right(row: Any) -> bool:
        if tuple(map(type, row)) != exact:
            return False
        for place, low, high in ranges:
            if not low <= row[place] <= high:
                return False
        for place, rule in lengths:
            if not rule.allows(row[place]):
                return False
        text = "".join(texts_of(row))
        return "\0" not in text and (text.isascii() or _is_unicode(text))

    return is_right


def _integer(value: Any, where: str) -> int:
    if type(value) is not int:
        _refuse(where, "a whole number", value)
    return value


def _any_integer(value: Any, where: str) -> int:
    if not _ANY_INTEGER.allows(_integer(value, where)):
        _refuse(where, "a whole number of 64 bits", value)
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
    place = f"{where}: " if where else ""
    raise Malformed(f"{place}expected {wanted}, found {_shown(value)}")


def _shown(value: Any) -> str:
    if type(value) is int:
        # Python refuses to write some integers down: those of more than 4,300 digits.
        return str(value) if abs(value) <= 2 * INTEGER_MAX else "a number of many digits"
    if isinstance(value, (str, bytes)):
        # Only what is shown is formatted: it may be very long.
        return ascii(value[:_SHOWN_CHARACTERS])
    if isinstance(value, (tuple, list)):
        return f"a list of {len(value)} values"
    return ascii(value)[:_SHOWN_CHARACTERS]


_ANY_INTEGER = Between(-INTEGER_MAX - 1, INTEGER_MAX)

_PLAIN: Dict[Any, Decoder] = {
    int: _any_integer,
    float: _float,
    str: _text,
    bytes: _exactly(bytes, "bytes"),
    bool: _exactly(bool, "true or false"),
    type(None): _exactly(type(None), "nothing"),
    None: _exactly(type(None), "nothing"),
}
_SIMPLE = (bool, str, bytes, int)
