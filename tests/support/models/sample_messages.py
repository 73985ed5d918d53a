"""Values of any kind that calls are described with: right ones, and as other releases send them."""

from random import Random
from typing import Annotated, Any, Callable, Iterator, Tuple, Union, get_args, get_origin

from zookeeper.fabric.kinds import Between, Rows, pack_rows

Alter = Callable[[Tuple[Any, ...], int], Tuple[Any, ...]]
"""(a row, how many of its last fields have defaults) -> the row as another release sends it."""

_PACKED = type(get_args(Rows[int])[1])
_LETTERS = ("a", "é", "%", " ", "日")
_NUMBERS = (0, 1, -1, 7, 2**31, 2**63 - 1, -(2**63))
_ADDITIONS = (None, 0, "new", True, 1.5, ("new", (1, 2)))
_DRAWS_MAX = 1000


def is_message(kind: Any) -> bool:
    """Whether a kind is a NamedTuple."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def is_packed(kind: Any) -> bool:
    """Whether a kind is a list of rows that travels as one bytes value."""
    return get_origin(kind) is Annotated and isinstance(get_args(kind)[1], _PACKED)


def messages_in(kind: Any) -> Iterator[Any]:
    """The NamedTuples that values of a kind are made of, itself among them."""
    if is_message(kind):
        yield kind
    parts = kind.__annotations__.values() if is_message(kind) else get_args(kind)
    for part in parts:
        yield from messages_in(part)


def draw(kind: Any, random: Random) -> Any:
    """A value of this kind, and none that its rules refuse."""
    if get_origin(kind) is Annotated:
        return _draw_ruled(kind, random)
    if get_origin(kind) is Union:
        return draw(random.choice(get_args(kind)), random)
    if get_origin(kind) is tuple:
        items = get_args(kind)
        if items[-1] is Ellipsis:
            items = items[:1] * random.randrange(4)
        return tuple([draw(item, random) for item in items])
    if is_message(kind):
        return kind(*[draw(field, random) for field in kind.__annotations__.values()])
    return _draw_plain(kind, random)


def sent(kind: Any, value: Any, alter: Alter) -> Any:
    """The value as it crosses the wire, each row of it altered."""
    if is_packed(kind):
        (row_kind,) = get_args(get_args(kind)[0])
        return pack_rows([sent(row_kind, row, alter) for row in value])
    if get_origin(kind) is Annotated:
        return sent(get_args(kind)[0], value, alter)
    if get_origin(kind) is Union:
        others = [one for one in get_args(kind) if one is not type(None)]
        return value if value is None or len(others) > 1 else sent(others[0], value, alter)
    if get_origin(kind) is tuple:
        items = get_args(kind)
        if items[-1] is Ellipsis:
            return tuple([sent(items[0], part, alter) for part in value])
        return alter(tuple(map(sent, items, value, [alter] * len(items))), 0)
    if is_message(kind):
        fields = kind.__annotations__.values()
        row = tuple([sent(field, part, alter) for field, part in zip(fields, value)])
        return alter(row, len(kind._field_defaults))
    return value


def newer(random: Random) -> Alter:
    """Every row has a few more fields."""

    def alter(row: Tuple[Any, ...], _defaults: int) -> Tuple[Any, ...]:
        return row + tuple(random.choices(_ADDITIONS, k=random.randrange(3)))

    return alter


def older(random: Random) -> Alter:
    """Some of the last fields are missing, where that is allowed."""

    def alter(row: Tuple[Any, ...], defaults: int) -> Tuple[Any, ...]:
        return row[: len(row) - random.randint(0, defaults)]

    return alter


def _draw_ruled(kind: Any, random: Random) -> Any:
    base, *rules = get_args(kind)
    if is_packed(kind):
        return [draw(get_args(base)[0], random) for _ in range(random.randrange(4))]
    for _ in range(_DRAWS_MAX):
        value = draw(base, random)
        for bounds in rules:
            if isinstance(bounds, Between):
                low, high = bounds.low, bounds.high
                value = random.choice((low, high, random.randint(low, high)))
        if all(rule.allows(value) for rule in rules):
            return value
    raise AssertionError(f"nothing that is drawn for {base} is allowed by {rules}")


def _draw_plain(kind: Any, random: Random) -> Any:
    return {
        None: None,
        type(None): None,
        bool: random.random() < 0.5,
        int: random.choice(_NUMBERS),
        float: random.choice((0.0, 0.5, 1e6)),
        str: "".join(random.choices(_LETTERS, k=random.randint(1, 9))),
        bytes: bytes(24 * random.randrange(3)),
    }[kind]
