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
import re
import socket
import struct
import threading
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type

from rpyc.core import brine, consts

from tests.support.clusters.leaks import Leaks
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.key_holder import holder
from tests.support.links.playground import FRAME_BYTES_MAX, Playground, Stage
from zookeeper.fabric.auth import SECRET, SIMPLE, Credentials
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, NetworkSettings

ROLE = "zookeeper"
KEY = bytes(range(32))


def credentials_as(mode: str, principal: str, key: bytes = KEY) -> Credentials:
    """Those of somebody, who holds the key in mode `secret`."""
    return holder(key, principal) if mode == SECRET else Credentials(Principal.parse(principal))


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
        self.credentials = credentials_as(mode, "user:tester")
        self.own_credentials = credentials_as(mode, ROLE)
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
            self.own_credentials,
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


def await_busy(loopback: Loopback, most: int) -> None:
    """Wait until calls run, as the server sees it, on so many connections at most: who has his
    answer is not idle before the server has looked away from him."""

    def settled() -> bool:
        found = re.search(r"(\d+) busy", repr(loopback.server))
        return found is not None and int(found.group(1)) <= most

    wait_until(settled, what=f"no more than {most} busy connections")


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
