"""Sends shots over real connections, and judges what comes back."""

import socket
import struct
import time
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from tests.fuzzing.shots import LET_IN, NOBODY, Shot
from zookeeper.fabric.auth import Credentials, Introduction
from zookeeper.fabric.frames import brine, consts
from zookeeper.fabric.handshake import greet
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.packets import starts_packet
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import adopt

PATIENCE_SECONDS = 30.0
"""A call that waits for nothing is answered by then, however busy the machine is."""

WAITING_SECONDS = 0.5
"""So long is waited for an answer that may take its time; then the attacker hangs up."""

DONE, CUT, SILENT = "done", "cut", "silent"
"""What became of a shot that was not answered with the code of an error."""

_TELLTALES = (b"Traceback", b'.py"', b"site-packages")


class Outcome(NamedTuple):
    """What came back, DONE, CUT, SILENT or an error's code among others; what is wrong with it."""

    what: str
    complaint: str = ""


CredentialsOf = Callable[[Principal], Credentials]


class Attacker:
    """Keeps a connection for each server and each name it takes. Use it in a `with`."""

    def __init__(
        self,
        addresses: Mapping[str, Address],
        network: NetworkSettings,
        credentials_of: CredentialsOf,
    ) -> None:
        self._addresses = addresses
        self._network = network
        self._credentials_of = credentials_of
        self._lines: Dict[Tuple[str, Principal], _Line] = {}

    def __enter__(self) -> "Attacker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()

    def hellos(self, principal: Principal) -> Dict[str, bytes]:
        """What this one says first to each server."""
        return {
            server: hello_of(self._introduction(principal, server), f"{server}@{address}")
            for server, address in self._addresses.items()
        }

    def fire(self, shot: Shot) -> Outcome:
        """Send it, and judge the answer. Raises DfsError or OSError when nobody is let in."""
        line = self._line_for(shot)
        try:
            line.send(shot.data)
            said = line.all() if shot.last else line.message()
            if shot.principal == NOBODY:
                said = LET_IN if LET_IN in said else b""
            elif shot.last:
                said = first_message(said)
        except socket.timeout:
            said = None
        if said is None or not said or shot.last:
            self._lines.pop((shot.server, shot.principal)).close()
        return judge(shot, said)

    def _introduction(self, principal: Principal, server: str) -> Introduction:
        return next(self._credentials_of(principal).to(server, self._addresses[server]))

    def _line_for(self, shot: Shot) -> "_Line":
        key = (shot.server, shot.principal)
        if key not in self._lines:
            line = _Line(self._addresses[shot.server])
            if shot.principal != NOBODY:
                introduction = self._introduction(shot.principal, shot.server)
                line.greet(self._network, introduction, shot.server)
            self._lines[key] = line
        self._lines[key].wait(WAITING_SECONDS if shot.waits else PATIENCE_SECONDS)
        return self._lines[key]


class _Line:
    """One connection."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket = socket.create_connection(address, PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def greet(self, network: NetworkSettings, introduction: Introduction, server: str) -> None:
        """Come in as an honest client does. Raises DfsError."""
        stream = adopt(self._socket.dup(), network, f"{server} {self._address}")
        greet(stream, introduction, f"{server}@{self._address}", time.monotonic() + 30.0)
        stream.drop()

    def wait(self, seconds: float) -> None:
        """So long at most each read and write takes from now on."""
        self._socket.settimeout(seconds)

    def send(self, data: bytes) -> None:
        """Send; who hung up already has said why. Raises socket.timeout."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def message(self) -> bytes:
        """The next message without its frame; empty when the server hung up."""
        head = self._read(5)
        return self._read(struct.unpack("!LB", head)[0] + 1)[:-1] if len(head) == 5 else b""

    def all(self) -> bytes:
        """All that the server says when nothing more is sent."""
        said: List[bytes] = []
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while not said or said[-1]:
                said.append(self._socket.recv(1 << 16))
        except OSError as error:
            if isinstance(error, socket.timeout):
                raise
        return b"".join(said)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                part = self._socket.recv(count - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                return b""
            data += part
        return data


def first_message(said: bytes) -> bytes:
    """The first message of all that a server said; empty when there is none."""
    if len(said) < 5 or starts_packet(said[:1]):
        return b""
    return said[5 : 5 + struct.unpack("!LB", said[:5])[0]]


def judge(shot: Shot, message: Optional[bytes]) -> Outcome:
    """What a message means that answered a shot, empty where the server hung up."""
    if message is None:
        late = "" if shot.waits else f"no answer in {PATIENCE_SECONDS:g} s"
        return Outcome(SILENT, late)
    if not message:
        return Outcome(CUT)
    if message == LET_IN:
        return Outcome(LET_IN.decode(), "a stranger was served" if shot.must_fail else "")
    told = [word.decode() for word in _TELLTALES if word in message]
    if told:
        return Outcome(DONE, f"the answer tells of the program: {told[0]}")
    if message[0] == consts.MSG_EXCEPTION:
        _, (_, (code, text), _, _) = brine.load(message[1:])
        return Outcome(code, f"a defect: {text}" if code == "internal" else "")
    return Outcome(DONE, "it was not refused" if shot.must_fail else "")


class _Heard(Exception):
    """What was waited for was said."""


class _Ear:
    """In the place of a stream: notes the first thing that is said."""

    peer = "nobody"

    def __init__(self) -> None:
        self.heard: List[bytes] = []

    def write(self, data: bytes) -> None:
        """Note it, and end."""
        self.heard.append(data)
        raise _Heard

    def close(self) -> None:
        """Nothing is open."""


def hello_of(introduction: Introduction, server_name: str) -> bytes:
    """What a client says first who introduces himself so, whichever release this is."""
    ear = _Ear()
    try:
        greet(ear, introduction, server_name, time.monotonic())  # type: ignore[arg-type]
    except _Heard:
        pass
    return ear.heard[0]
