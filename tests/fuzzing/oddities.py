"""Odd values, and arguments that were right until one of them was put in; all from a seed."""

from random import Random
from typing import Any, Callable, List, Mapping, Sequence, Tuple

from data_service.namenode.namespace import paths
from tests.support.models.sample_messages import draw, newer, older, sent
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.frames import brine

SURROGATE = "\udc80"
_STAND_IN = "\ufdd0"
"""No character, and as long in UTF-8 as half a surrogate pair, which no Python writes there."""

PATHS = (
    "/", "/kept", "/kept/file", "/kept/private", "/kept/private/file", "/nowhere", "/honest",
    "", "//", "/kept/", "kept", "/..", "/kept/..", "/kept/../kept/file", "/.", "/kept/./file",
    "/kept\0/file", f"/{SURROGATE}", "/\x1b[2J\r\n", "/kept/file\n", "/\u202e\u2028", "/.reserved",
    "/.snapshot", "/" + "x" * 255, "/" + "x" * 256, "/" + "é" * 200, "/x" * 1000, "/x" * 5000,
    "../" * 40 + "etc/passwd", "/name_nodes/x", "/data_nodes/127.0.0.1:1",
)  # fmt: skip
"""For a parameter that is a path."""

_SHUT_PATHS = ("/kept", "/kept/file", "/kept/private", "/kept/private/file", "/new")
"""Where a user may at most read."""

_OPEN_PATHS = ("/open", "/open/file", "/open/other", "/open/deep", "/open/deep/er")
"""Where everybody may do what he likes."""


def _path(chance: Random) -> str:
    return chance.choice(chance.choice([PATHS, _SHUT_PATHS, _OPEN_PATHS]))



_LIKELY: Mapping[str, Callable[[Random], Any]] = {
    "path": _path,
    "source": _path,
    "destination": _path,
    "sources": lambda chance: (_path(chance), _path(chance)),
    "after": _path,
    "parent_path": _path,
    "mode": lambda chance: chance.choice([0o755, 0o644, 0o1777]),
    "length": lambda chance: chance.randrange(100),
    "limit": lambda chance: chance.randrange(20),
    "op": lambda chance: (chance.choice("ab"), chance.randrange(1000), 0),
    "client_id": lambda chance: chance.choice("ab"),
    "file_id": lambda chance: chance.randrange(64),
    "block_id": lambda chance: chance.randrange(64),
    "position": lambda chance: chance.randrange(3),
    "replication": lambda chance: chance.randrange(4),
    "block_size": lambda chance: chance.choice([0, 4096, 1 << 20]),
}
"""By a parameter's name, what may mean something: numbers are given out from 1 on."""

SMALL: Tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 2**64 - 1, 2**200,
    -(10**250), 0.0, -0.5, 1e308, float("nan"), float("inf"), float("-inf"), "", "\0", "..", "/",
    "//", "/..", "a\nb", "\x1b]0;x\x07", SURROGATE, "%s%n{0}", "x" * 256, "x" * 65536, "x" * 65537,
    b"", b"\0", b"\xff" * 24, b"[[1,2]]", b"[" * 1000, b"NaN", (), (None,), ((),), (1, 2, 3),
    ("a",) * 1001, (-1, "", None, 0.5, b"", ()), ((((((((1,),),),),),),),), ("", 0), ("x", -1),
)  # fmt: skip

_LARGE_EVERY = 60


def odd_value(chance: Random) -> Any:
    """Something that hardly any parameter is; rarely it is very large."""
    if chance.randrange(_LARGE_EVERY):
        return chance.choice(SMALL)
    return chance.choice([_long_text, _long_bytes, _long_tuple, _deep_tuple, _long_number])(chance)


def arguments(call: Call, chance: Random) -> Tuple[Any, ...]:
    """What a caller may send: right, as another release sends it, or with something odd in it."""
    drawn = []
    for parameter in call.parameters:
        value = draw(parameter.kind, chance)
        alter = chance.choice([newer, older])(chance)
        value = sent(parameter.kind, value, alter) if chance.randrange(4) == 0 else value
        likely = _LIKELY.get(parameter.name)
        drawn.append(likely(chance) if likely is not None and chance.randrange(9) else value)
    for _ in range(chance.choice([0, 0, 0, 1, 1, 2])):
        drawn = _spoiled(drawn, chance)
    return tuple([_plain(value) for value in drawn])


def must_be_refused(call: Call, args: Sequence[Any]) -> bool:
    """Whether no service may do anything for these arguments, whoever calls."""
    try:
        values = call.checked(args)
    except InvalidArgument:
        return True
    return any(
        _is_no_path(value)
        for parameter, value in zip(call.parameters, values)
        if parameter.name in ("path", "source", "destination")
    )


def _is_no_path(value: Any) -> bool:
    try:
        paths.parse(value)
    except InvalidArgument:
        return True
    return False


def encoded(value: Any) -> bytes:
    """The value in RPyC's serializer, halves of surrogate pairs included."""
    data: bytes = brine.dump(_with_stand_ins(value))
    return data.replace(_STAND_IN.encode(), SURROGATE.encode("utf-8", "surrogatepass"))


def shown(value: Any) -> str:
    """The value for a report, cut where it is long."""
    if isinstance(value, tuple) and len(value) < 20:
        return f"({', '.join([shown(item) for item in value])})"
    if type(value) is int and abs(value) > 2**256:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, (str, bytes, tuple)) and len(value) > 80:
        return f"{type(value).__name__} of {len(value)}: {value[:5]!a}..."
    return ascii(value)


def _spoiled(values: Sequence[Any], chance: Random) -> List[Any]:
    spoiled = list(values)
    way = chance.randrange(10)
    if way == 0 or not spoiled:
        spoiled.append(odd_value(chance))
    elif way == 1:
        del spoiled[chance.randrange(len(spoiled)) :]
    elif way == 2:
        chance.shuffle(spoiled)
    elif way == 3:
        spoiled = [odd_value(chance) for _ in spoiled]
    else:
        place = chance.randrange(len(spoiled))
        inner = spoiled[place]
        deeper = isinstance(inner, (tuple, list)) and len(inner) < 100 and chance.randrange(3)
        spoiled[place] = tuple(_spoiled(inner, chance)) if deeper else odd_value(chance)
    return spoiled


def _plain(value: Any) -> Any:
    """As it crosses the wire: rows are tuples, and lists, too."""
    return tuple([_plain(item) for item in value]) if isinstance(value, (tuple, list)) else value


def _with_stand_ins(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(SURROGATE, _STAND_IN)
    return tuple([_with_stand_ins(part) for part in value]) if type(value) is tuple else value


def _long_text(chance: Random) -> str:
    return chance.choice(["x", "/", "é", "\0"]) * chance.choice([200_000, 3_000_000, 10_000_000])


def _long_bytes(chance: Random) -> bytes:
    return bytes(chance.choice([4097, 1 << 20, 5 << 20]))


def _long_tuple(chance: Random) -> Tuple[Any, ...]:
    return (chance.choice(SMALL[:20]),) * chance.choice([10_001, 150_000, 250_000])


def _deep_tuple(chance: Random) -> Tuple[Any, ...]:
    nest: Tuple[Any, ...] = ()
    for _ in range(chance.choice([50, 300])):
        nest = (nest,)
    return nest


def _long_number(chance: Random) -> int:
    return int("9" * chance.choice([400, 4000]))
