"""What is sent at a server, one shot at a time, drawn from a seed and a number alone."""

import struct
import zlib
from random import Random
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple, Type

from data_service.protocol.datanode_calls import DataNodeCalls
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.namenode_calls import NameNodeCalls
from metadata_service.calls import MemberCalls, ScrubCalls
from tests.fuzzing.oddities import arguments, encoded, must_be_refused, odd_value, shown
from tests.support.links.loopback import mutate
from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric.calls import Call, Calls, calls_of
from zookeeper.fabric.frames import consts
from zookeeper.fabric.identity import DATA_NODE, METADATA, NAME_NODE, USER, ZOOKEEPER, Principal
from zookeeper.fabric.meter import ServerCalls

MALLORY = Principal(USER, "mallory")
"""Who may do nothing that changes anything: his calls may be right in everything else."""

NOBODY = Principal("", "")
"""Who sends his bytes instead of a handshake."""

LET_IN = b"let in"
"""What a server says again to whom it serves."""

Tables = Mapping[str, Sequence[Type[Calls]]]

TABLES: Tables = {
    ZOOKEEPER: (ZooKeeperCalls, ServerCalls),
    METADATA: (MemberCalls, ScrubCalls, ServerCalls),
    NAME_NODE: (NameNodeCalls, DataNodeReports, ServerCalls),
    DATA_NODE: (DataNodeCalls, ServerCalls),
}
"""Server -> what it answers."""


class Shot(NamedTuple):
    """Bytes for the server of a role, by somebody, and whether they may be answered with success.

    Behind them nothing more comes, when `last`: the server hears the end of the stream.
    """

    server: str
    principal: Principal
    data: bytes
    what: str
    must_fail: bool
    waits: bool = False
    last: bool = False


class Range:
    """Draws shots at these servers; `superuser` is who owns the cluster, and `hellos` what an
    honest client says first at each of them, which is worth a try in other words: with `secret`
    nobody is let in by words alone."""

    def __init__(
        self,
        seed: object,
        superuser: str,
        hellos: Mapping[str, bytes],
        secret: bool,
        tables: Tables = TABLES,
    ) -> None:
        self._seed = seed
        self._secret = secret
        self._hellos = hellos
        self._tables = tables
        self._calls: List[Tuple[str, Call]] = [
            (server, call)
            for server, those in sorted(tables.items())
            for table in those
            for call in calls_of(table).values()
        ]
        self._callers = [
            MALLORY, Principal(USER, superuser), Principal(NAME_NODE),
            Principal(DATA_NODE, "127.0.0.1:1"), Principal(METADATA), Principal(ZOOKEEPER),
        ]  # fmt: skip

    def shot(self, number: int) -> Shot:
        """That of this number, whatever was drawn before."""
        chance = Random(f"{self._seed} {number}")
        draw = chance.choices(
            [self._call, self._frame, self._request, self._hello], weights=[70, 14, 10, 6]
        )[0]
        return draw(chance)

    def _call(self, chance: Random) -> Shot:
        server, call = chance.choice(self._calls)
        principal = self._caller_of(call, chance)
        args = arguments(call, chance)
        refused = must_be_refused(call, args)
        if not refused and principal != MALLORY:
            # Others could do with it what they are there for: that is not the question here.
            args = (*args, odd_value(chance), *[None] * len(call.parameters))
            refused = True
        body = chance.choice(BODIES)(chance) if call.body else b""
        return Shot(
            server, principal, _framed(_call_message(call.name, args)) + body,
            f"{call.name}{shown(args)}", refused, call.waits, bool(call.body),
        )  # fmt: skip

    def _caller_of(self, call: Call, chance: Random) -> Principal:
        # Who may not call is refused before anybody looks at what he sends.
        allowed = [one for one in self._callers if one.role in call.who] or [MALLORY]
        return chance.choice(allowed if chance.randrange(2) else self._callers)

    def _frame(self, chance: Random) -> Shot:
        server, call = chance.choice(self._calls)
        message = _call_message(call.name, arguments(call, chance))[: 1 << 16]
        way = chance.choice(sorted(FRAMES))
        data = FRAMES[way](message, chance)
        # What becomes of a changed message nobody knows: a namenode's might be right.
        return Shot(server, MALLORY, data, f"{way} {call.name}", False, True, True)

    def _request(self, chance: Random) -> Shot:
        server, call = chance.choice(self._calls)
        handler = chance.choice([*_HANDLERS, chance.randrange(-1, 40)])
        name = chance.choice([*_ATTRIBUTES, call.name])
        target = chance.choice([None, None, b"x", 10, "{:1000000000}", (), odd_value(chance)])
        values = (target, name, *[odd_value(chance) for _ in range(chance.randrange(3))])
        label = chance.choice([consts.LABEL_VALUE] * 3 + [1, 2, 3, 4, 9, None])
        boxed: Any = (label, values)
        if label == consts.LABEL_TUPLE:
            boxed = (label, tuple([(chance.choice([1, 3, 4]), value) for value in values]))
        data = _framed(bytes([consts.MSG_REQUEST]) + encoded((1, (handler, boxed))))
        secret = name.startswith("_") or name in _STOCK
        asks = handler in (consts.HANDLE_GETATTR, consts.HANDLE_CALLATTR, consts.HANDLE_SETATTR)
        return Shot(
            server, MALLORY, data, f"handler {handler} {shown(boxed)}", secret and asks, True, True
        )

    def _hello(self, chance: Random) -> Shot:
        server = chance.choice(sorted(self._hellos))
        hello = mutate(self._hellos[server], chance)
        proof = bytes(chance.choices(range(256), k=chance.choice([0, 5, 32])))
        ping = (consts.HANDLE_PING, (consts.LABEL_VALUE, (LET_IN,)))
        data = hello + proof + _framed(bytes([consts.MSG_REQUEST]) + encoded((1, ping)))
        must_fail = self._secret
        return Shot(server, NOBODY, data, f"hello {hello[:60]!r}", must_fail, True, True)


_HANDLERS = [getattr(consts, name) for name in dir(consts) if name.startswith("HANDLE_")]

_ATTRIBUTES = (
    "__class__", "__init__", "__dict__", "__getattribute__", "__globals__", "__reduce_ex__",
    "_audit", "_connection", "exposed_metrics", "server_figures", "peer", "answer",
    "get_service_name", "note", "on_connect", "mro", "format", "__mul__", "",
)  # fmt: skip
_STOCK = ("peer", "answer", "note", "on_connect", "mro", "format")


def _call_message(name: str, args: Tuple[Any, ...]) -> bytes:
    named = (consts.LABEL_VALUE, (None, name, args, ()))
    return bytes([consts.MSG_REQUEST]) + encoded((1, (consts.HANDLE_CALLATTR, named)))


def _framed(message: bytes, length: int = -1, flag: int = 0) -> bytes:
    return struct.pack("!LB", len(message) if length < 0 else length, flag) + message + b"\n"


def _answer_unasked(message: bytes, chance: Random) -> bytes:
    content = chance.choice([(1, odd_value(chance)), (("any", "Class"), ("x",), (), "")])
    kind = chance.choice([consts.MSG_REPLY, consts.MSG_EXCEPTION, 0, 4, 255])
    return _framed(bytes([kind]) + encoded((chance.choice([0, 1, -1, 2**70]), content)))


def _nested(message: bytes, chance: Random) -> bytes:
    piece = chance.choice([b"\x10", b"\x08", b"\x14\x01", b"\x15\xff\xff\xff\xff"])
    return _framed(b"\x01" + piece * chance.choice([10, 5000, 100_000]))


def _packets(chance: Random) -> bytes:
    """A body of a few packets, each of them wrong in a way of its own, or right."""
    body = b""
    for _ in range(chance.randrange(4)):
        data = bytes(chance.choices(range(256), k=chance.choice([1, 100, 4096])))
        length = chance.choice([len(data)] * 3 + [0, len(data) + 1, 1 << 20, (1 << 31) - 1])
        checksum = chance.choice([zlib.crc32(data)] * 3 + [0])
        body += struct.pack("!II", length | 1 << 31, checksum) + data
    return body + chance.choice([b"", struct.pack("!II", 1 << 31, chance.choice([0, 1, 7]))])


BODIES: Sequence[Callable[[Random], bytes]] = (
    _packets, lambda chance: b"", lambda chance: mutate(_packets(chance) + b"\x80", chance)
)  # fmt: skip

FRAMES: Dict[str, Callable[[bytes, Random], bytes]] = {
    "changed": lambda message, chance: _framed(mutate(message, chance)),
    "changed with its head": lambda message, chance: mutate(_framed(message), chance),
    "cut": lambda message, chance: _framed(message)[: chance.randrange(len(message) + 5)],
    "compressed": lambda message, chance: _framed(
        zlib.compress(message + bytes(1 << 22), 9), flag=chance.choice([1, 2, 255])
    ),
    "of another length": lambda message, chance: _framed(
        message, chance.choice([0, 1, len(message) - 1, len(message) + 1, 1 << 22, 2**32 - 1])
    ),
    "answers": _answer_unasked,
    "nested": _nested,
    "twice": lambda message, chance: _framed(message) * 2,
    "random": lambda message, chance: bytes(
        chance.choices(range(256), k=chance.choice([1, 5, 100, 2000]))
    ),
}
