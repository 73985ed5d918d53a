"""A server in this process with a service to try everything on, and clients that speak raw bytes.

    with Loopback(stall_timeout_seconds=0.3) as loopback:
        assert loopback.remote().call("echo", 1, timeout=5) == 1
        raw = loopback.raw()
        raw.send(b"half a fra")

Leaving the `with` stops the server and waits until every thread and descriptor that came up inside
is gone again: what leaks fails the test.
"""

import dataclasses
import logging
import random
import socket
import struct
import threading
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type

from rpyc.core import brine, consts

from tests.support.clusters.leaks import Leaks
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric.auth import SIMPLE, Credentials
from zookeeper.fabric.errors import DfsError, NotLeader, PathNotFound, PipelineFailed
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.packets import PacketReader, PacketWriter
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.rpc import Service, answers_with_body, takes_body, waits
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, NetworkSettings

ROLE = "zookeeper"
KEY = bytes(range(32))
FRAME_BYTES_MAX = 1 << 16
BUFFER_BYTES = 1 << 20


class Stage:
    """What all instances of the service share with the test."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        """Released by each call of `wait` when it begins."""
        self.gate = threading.Event()
        """Lets calls of `wait` end."""
        self.seen: List[Any] = []
        """What the methods want the test to know, in order."""


class Playground(Service):
    """Methods of every kind, good and bad."""

    secret = "not for the wire"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def unexposed(self) -> str:
        """Public in Python, and not for clients."""
        return self.secret

    def exposed_echo(self, value: Any) -> Any:
        """The argument."""
        return value

    def exposed_principal(self) -> Tuple[str, str]:
        """Who is calling, from where."""
        return str(self.peer.principal), self.peer.host

    def exposed_wait(self) -> str:
        """Blocks until the test opens the gate."""
        self._stage.entered.release()
        self._stage.gate.wait()
        self._stage.seen.append("waited")
        return "waited"

    @waits
    def exposed_wait_for_nothing(self) -> None:
        """Waits until nobody waits for the answer."""
        self._stage.entered.release()
        while not self.gone() and not self._stage.gate.wait(0.01):
            pass
        self._stage.seen.append("gone")

    def exposed_refuse(self, message: str) -> None:
        """An error of the family."""
        raise PathNotFound(message)

    def exposed_refuse_oddly(self) -> None:
        """An error whose message has a lone surrogate, and is long."""
        raise NotLeader("\udcff" + "x" * 1_000_000)

    def exposed_fail(self) -> int:
        """A defect in the body: a TypeError."""
        return len(7)  # type: ignore[arg-type]

    def exposed_crash(self) -> None:
        """A defect in the body: an error with details that are nobody's business."""
        raise KeyError(self.secret)

    def exposed_result(self, kind: str) -> Any:
        """A result that cannot cross."""
        return {
            "surrogate": "\udcff",
            "number": 10**5000,
            "large": b"x" * (FRAME_BYTES_MAX + 1),
            "list": [1],
            "dictionary": {"a": 1},
            "object": object(),
            "nested": (1, (2, [3])),
            "unexposed": self.unexposed,
        }[kind]

    @takes_body
    def exposed_take(self, packets: PacketReader, start: bytes) -> Tuple[int, bool]:
        """(bytes received, whether the sender had all of them)."""
        self._stage.entered.release()
        buffer, total = memoryview(bytearray(BUFFER_BYTES)), len(start)
        while True:
            packet = packets.receive(buffer)
            if packet is None:
                return total, packets.whole
            total += len(packet[0])

    @takes_body
    def exposed_take_and_refuse(self, packets: PacketReader) -> None:
        """Take all of the body, then say no."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while packets.receive(buffer) is not None:
            pass
        raise PipelineFailed("after all of it")

    @takes_body
    def exposed_refuse_body(self, packets: PacketReader, after: int) -> None:
        """Take `after` packets, then say no."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        for _ in range(after):
            packets.receive(buffer)
        raise PipelineFailed(f"after {after} packets")

    @takes_body
    def exposed_ignore_body(self, packets: PacketReader) -> str:
        """A defect: answers without reading the body."""
        return "ignored"

    @answers_with_body
    def exposed_give(self, packets: PacketWriter, count: int, size: int) -> str:
        """`count` packets of `size` bytes, of value 0, 1, 2, … each."""
        for index in range(count):
            packets.send(bytes([index % 256]) * size, index)
        return "given"

    @answers_with_body
    def exposed_give_some(self, packets: PacketWriter, count: int) -> None:
        """`count` packets, then an error."""
        for index in range(count):
            packets.send(b"x", index)
        raise PipelineFailed(f"after {count} packets")

    @answers_with_body
    def exposed_hand_over(self, packets: PacketWriter, path: str, word: bytes, times: int) -> None:
        """The open file and the word, so often, then a packet, then the end."""
        with open(path, "rb") as file:
            packets.hand_over(file.fileno(), word * times)
        packets.send(b"behind it", 7)

    @answers_with_body
    def exposed_give_file(self, packets: PacketWriter, path: str, size: int) -> None:
        """One packet of `size` bytes straight from a file."""
        with open(path, "rb") as file:
            packets.send_file(file.fileno(), 0, size, 0)


class Recorder(logging.Handler):
    """Within `with Recorder() as log`: what all layers log, whatever other tests did to them."""

    def __init__(self) -> None:
        super().__init__()
        self._logger = logging.getLogger("pyhdfs")
        self._level = self._logger.level
        self.records: List[logging.LogRecord] = []
        self.emit = self.records.append  # type: ignore[method-assign]

    @property
    def lines(self) -> List[str]:
        """Their messages."""
        return [record.getMessage() for record in self.records]

    @property
    def tracebacks(self) -> int:
        """How many of the records have one."""
        return sum(1 for record in self.records if record.exc_info)

    def __enter__(self) -> "Recorder":
        self._logger.addHandler(self)
        self._logger.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, taken out, or put in; or the end cut off."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(changed) + 1)
        action = chance.randrange(4)
        if action == 0 and position < len(changed):
            changed[position] = chance.choice([0, 1, 0x10, 0x15, 0x17, 0xFF, chance.randrange(256)])
        elif action == 1:
            del changed[position : position + chance.randint(1, 8)]
        elif action == 2:
            changed[position:position] = bytes(chance.choices(range(256), k=chance.randint(1, 8)))
        else:
            del changed[position:]
    return bytes(changed)


class RawClient:
    """A connection whose every byte the test decides."""

    def __init__(self, address: Address, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(address, PATIENCE_SECONDS, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        """Send these bytes; a server that hung up already is no error."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def frame(self, message: bytes, compressed: int = 0, length: int = -1) -> None:
        """Send an RPyC frame, of which the header may lie."""
        head = struct.pack("!LB", len(message) if length < 0 else length, compressed)
        self.send(head + message + b"\n")

    def request(self, handler: int, boxed: object, number: int = 1) -> None:
        """Send a request to one of RPyC's handlers."""
        self.frame(request(handler, boxed, number))

    def answer(self) -> Tuple[int, Any]:
        """(kind, content) of the next message; EOFError when the server hung up."""
        (length,) = struct.unpack("!L", self.receive(4))
        message = self.receive(length + 2)[1:-1]
        return message[0], brine.load(message[1:])[1]

    def refusal(self) -> str:
        """The error code in the next message."""
        kind, content = self.answer()
        assert kind == consts.MSG_EXCEPTION, content
        return str(content[1][0])

    def receive(self, count: int) -> bytes:
        """Exactly so many bytes; EOFError when the server hung up."""
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def await_end(self) -> bytes:
        """What comes until the server hangs up."""
        data = b""
        while True:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not part:
                return data
            data += part

    def hang_up(self) -> None:
        """Say that nothing more will be sent; what the server says can still be read."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The server was faster.

    def close(self) -> None:
        """Close."""
        self.socket.close()


class Loopback:
    """A Playground served at a port of its own; `limits` replace fields of NetworkSettings."""

    def __init__(self, mode: str = SIMPLE, **limits: Any) -> None:
        self.stage = Stage()
        limits = {"max_frame_bytes": FRAME_BYTES_MAX, **limits}
        self.network = dataclasses.replace(NetworkSettings(), **limits)
        self.credentials = Credentials(mode, Principal("user", "tester"), KEY)
        self._opened: List[Any] = []
        self._leaks = Leaks()
        self.ports = Ports()
        self.address = Address(self.ports.host, self.ports.take())
        self.server = self.make_server()

    def __enter__(self) -> "Loopback":
        self.server.start()
        return self

    def make_server(self) -> Server:
        """A server for this address, not started."""
        return Server(
            f"{ROLE}@{self.address}",
            *self.address,
            lambda: Playground(self.stage),
            self.credentials._replace(principal=Principal(ROLE)),
            self.network,
            here=True,
        )

    def restart(self) -> None:
        """Another server in the place of the one that was stopped."""
        self.server = self.make_server()
        self.server.start()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stage.gate.set()
        for one in self._opened:
            one.close()
        self.server.stop()
        self.ports.close()
        if kind is None:
            self._leaks.await_none()

    def remote(self, here: bool = False, **limits: Any) -> Remote:
        """A connection by our own client, closed at the end, `here` by a Unix socket; `limits` are
        the client's own."""
        network = dataclasses.replace(self.network, **limits)
        return self.keep(Remote.connect(ROLE, self.address, self.credentials, network, here))

    def raw(self, source: str = "127.0.0.1") -> RawClient:
        """A connection by raw bytes from one of this machine's addresses, closed at the end."""
        return self.keep(RawClient(self.address, source))

    def keep(self, closeable: Any) -> Any:
        """Close this at the end."""
        self._opened.append(closeable)
        return closeable


class Caller(threading.Thread):
    """Calls `wait` in a thread, and keeps what came of it."""

    def __init__(self, remote: Remote) -> None:
        super().__init__(daemon=True)
        self._remote = remote
        self.result: Any = None
        self.start()

    def run(self) -> None:
        """The call."""
        try:
            self.result = self._remote.call("wait", timeout=PATIENCE_SECONDS)
        except DfsError as error:
            self.result = error

    def outcome(self) -> Any:
        """What it returned, or the error that it raised."""
        self.join(PATIENCE_SECONDS)
        return self.result


def busy_caller(loopback: Loopback) -> Caller:
    """A call that runs on the server until the test opens the gate."""
    caller = Caller(loopback.remote())
    loopback.stage.entered.acquire()
    return caller


def request(handler: int, boxed: object, number: int = 1) -> bytes:
    """The message of a request."""
    return bytes([consts.MSG_REQUEST]) + brine.dump((number, (handler, boxed)))


def call(method: str, *args: object) -> bytes:
    """The message that calls an exposed method."""
    return request(consts.HANDLE_CALLATTR, (consts.LABEL_VALUE, (None, method, args, ())))


def works(remote: Remote) -> bool:
    """Whether a connection still serves its purpose."""
    return bool(remote.call("echo", 77, timeout=PATIENCE_SECONDS) == 77)
