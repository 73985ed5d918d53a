"""Sockets and the names of hosts: the only module that imports socket.

Theory of operation. A host's name may have several addresses (IPv6 and IPv4, two networks), of
which some lead nowhere: a server listens on all of them that are this machine's, and a client
tries them side by side, each a little after the one before (RFC 8305), so that a silent first
address costs a quarter of a second and not the connection. Names are looked up anew for every
connection: an address that changed is found again by dialling again.

Idle connections are kept alive by the kernel, more often than gateways forget them (350 s at AWS,
240 s at Azure), which also ends those whose other side is gone without a word.

A server may listen on a Unix socket, too, where processes of its machine can be handed open files.
Its name is that of the server and lies in no directory (Linux calls it abstract): it is gone with
its process, however that ends, and containers with a network of their own do not see it. Anybody
may connect, as to a port, and has to prove who he is, as there. But anybody may take the name, too,
where no server has it, and pass on what is said to the server's port: so the handshake is bound to
the user who serves there, as the kernel tells him.
"""

import errno
import os
import select
import socket
import struct
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from zookeeper.fabric.config_file import Address
from zookeeper.fabric.errors import DfsError, StartRefused, Unavailable
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.stream import Buffer, Stream, parts_after

STAGGER_SECONDS = 0.25
"""How long one address of a host may be silent before the next is tried beside it."""

KEEP_ALIVE_IDLE_SECONDS = 60
KEEP_ALIVE_PROBES = 4
_KEEP_ALIVE_INTERVAL_SECONDS = 15
_REMEMBERED_MAX = 1000

OWN_HOST = "127.0.0.1"
"""The host of those who come by a Unix socket."""

_DESCRIPTOR = struct.Struct("i")
_CREDENTIALS = struct.Struct("3i")  # Process, user, group: struct ucred.

_NOT_OURS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_REMEDIES = {
    errno.EADDRINUSE: "; stop what listens there, or name another port in config.ini",
    errno.EADDRNOTAVAIL: "; name an address of this machine in config.ini, perhaps as bind_host",
    errno.EACCES: "; name a port above 1023 in config.ini: those below are for the system's own",
}
"""What a person can do where one cannot listen."""

_reached: Dict[Address, Tuple[Any, ...]] = {}
"""By which of its addresses a host was reached last: that one is tried first."""


class LocalStream(Stream):
    """A connected Unix socket, over which open files can be handed."""

    local = True

    def write_handing_over(self, descriptor: int, *parts: Buffer) -> None:
        """See Stream."""
        deadline = time.monotonic() + self.stall_seconds
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, _DESCRIPTOR.pack(descriptor))
        try:
            sent = self._socket().sendmsg(parts, (rights,))
        except OSError as error:
            raise self._broken(error) from None
        if sent < sum(map(len, parts)):
            self.write_by(deadline, *parts_after(parts, sent))

    def read_handed_over(self, count: int) -> Tuple[bytes, Optional[int]]:
        """See Stream."""
        deadline = time.monotonic() + self.stall_seconds
        room = socket.CMSG_LEN(_DESCRIPTOR.size)
        flags = socket.MSG_WAITALL | socket.MSG_CMSG_CLOEXEC
        try:
            data, beside, _, _ = self._socket().recvmsg(count, room, flags)
        except OSError as error:
            raise self._broken(error) from None
        # There is room for one, and the kernel closes what has none.
        found = [_DESCRIPTOR.unpack(rights)[0] for level, kind, rights in beside
                 if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)]
        descriptor = found[0] if found else None
        if not data:
            raise self._gone()
        try:
            if len(data) < count:
                data += self.read_by(count - len(data), deadline)
        except BaseException:
            if descriptor is not None:
                os.close(descriptor)
            raise
        return data, descriptor


class _Target(NamedTuple):
    """One address of a host: what socket and connect need."""

    family: int
    place: Tuple[Any, ...]


def _targets(host: str, port: int) -> List[_Target]:
    """All addresses of a host, the system's first choice first; raises OSError, UnicodeError."""
    # For a name as text, Python loads its tables of all scripts first; few names need them.
    name = host.encode("ascii") if host.isascii() else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(_Target(item[0], item[4]) for item in found))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def dial(address: Address, network: NetworkSettings, peer: str) -> Stream:
    """A connected stream; raises Unavailable when nobody answers at `address`."""
    deadline = time.monotonic() + network.handshake_timeout_seconds
    try:
        targets = _targets(*address)
        # Stable: all others stay in the system's order.
        targets.sort(key=lambda target: target.place != _reached.get(address))
        sock = _first_connected(targets, deadline)
        if len(targets) > 1:
            if len(_reached) >= _REMEMBERED_MAX:
                _reached.clear()
            _reached[address] = sock.getpeername()
        return adopt(sock, network, peer)
    except DfsError:
        raise
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno is None:
            raise  # Of a signal handler, not of the system.
        raise Unavailable(f"cannot reach the {peer}: {_reason(error)}") from None


def dial_here(name: str, network: NetworkSettings, peer: str) -> Stream:
    """A connected Unix socket to the server of this name; raises Unavailable when there is none on
    this machine."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # One that has no room for another caller must not be waited for.
        sock.setblocking(False)
        sock.connect(_local_name(name))
        told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError as error:
        sock.close()
        raise Unavailable(f"cannot reach the {peer} on this machine: {_reason(error)}") from None
    stream = adopt(sock, network, peer)
    stream.binding = _bound_to(_CREDENTIALS.unpack(told)[1])
    return stream


def _first_connected(targets: Sequence[_Target], deadline: float) -> socket.socket:
    """A connection to the first of the targets that answers; raises OSError when none does."""
    waiting = list(targets)
    pending: Dict[int, socket.socket] = {}
    poll = select.poll()
    failure = late = OSError(errno.ETIMEDOUT, "timed out")
    try:
        while waiting or pending:
            if waiting:
                sock, failed = _begin_to_connect(waiting.pop(0))
                if failed is not None:
                    failure = failed
                else:
                    pending[sock.fileno()] = sock
                    poll.register(sock.fileno(), select.POLLOUT)
            left = deadline - time.monotonic()
            if left <= 0:
                raise late
            pause = min(left, STAGGER_SECONDS) if waiting else left
            for descriptor, _ in poll.poll(int(pause * 1000 + 0.999)) if pending else ():
                poll.unregister(descriptor)
                sock = pending.pop(descriptor)
                error = _outcome(sock)
                if error is None:
                    return sock
                failure = error
        raise failure
    finally:
        for sock in pending.values():
            sock.close()


def _begin_to_connect(target: _Target) -> Tuple[socket.socket, Optional[OSError]]:
    """A socket that is on its way, or the reason why it is not."""
    sock = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        # The system may give it the port of a daemon that is down just now, which must come back.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.connect(target.place)
    except BlockingIOError:
        pass  # On its way: `poll` tells when it has arrived.
    except OSError as error:
        sock.close()
        return sock, error
    return sock, None


def _outcome(sock: socket.socket) -> Optional[OSError]:
    """None when the socket is connected to somebody; else it is closed, and this is why."""
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    failure: Optional[OSError] = None
    try:
        if number:
            failure = OSError(number, os.strerror(number))
        elif sock.getsockname() == sock.getpeername():
            failure = OSError(errno.ECONNREFUSED, "nobody listens, and the call reached itself")
    except OSError as error:
        failure = error  # It was closed again meanwhile.
    if failure is not None:
        sock.close()
    return failure


def listen(host: str, port: int) -> List[socket.socket]:
    """Listening sockets, at every address of the host that is of this machine; StartRefused.

    Port 0 asks the system for a free one, at the first address only.
    """
    try:
        targets = _targets(host, port)
    except (OSError, UnicodeError) as error:
        raise _refused(host, port, error) from None
    sockets: List[socket.socket] = []
    failure: Optional[OSError] = None
    for target in targets if port else targets[:1]:
        try:
            sockets.append(_listening(target))
        except OSError as error:
            if failure is None or failure.errno in _NOT_OURS:
                failure = error
    taken = failure is not None and failure.errno not in _NOT_OURS
    if failure is not None and (taken or not sockets):
        # Half of the clients would reach another program at the same name.
        for sock in sockets:
            sock.close()
        raise _refused(host, port, failure)
    return sockets


def _refused(host: str, port: int, error: Exception) -> StartRefused:
    """The error of a place where one cannot listen, with what a person can do about it."""
    remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "")
    return StartRefused(f"cannot listen on {host}:{port}: {_reason(error)}{remedy}")


def _listening(target: _Target) -> socket.socket:
    sock = socket.socket(target.family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(target.place)
        sock.listen(socket.SOMAXCONN)
        # Who hung up before he was accepted must not make the accepting thread wait for the next.
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def listen_here(name: str) -> socket.socket:
    """A listening Unix socket for the server of this name; StartRefused."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(_local_name(name))
        sock.listen(socket.SOMAXCONN)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise StartRefused(f"cannot listen on the Unix socket @{name}: {_reason(error)}") from None
    return sock


def _local_name(name: str) -> str:
    return f"\0pyhdfs/{name}"


def _bound_to(user_id: int) -> bytes:
    """What a handshake is bound to on the Unix socket of a server that runs as this user."""
    return b"unix socket of user %d" % user_id


def accept(listener: Any) -> Tuple[socket.socket, str]:
    """A connection that somebody made, and the host he comes from; raises OSError."""
    sock, place = listener.accept()
    return sock, OWN_HOST if sock.family == socket.AF_UNIX else place[0]


def own_numbers(host: str) -> Tuple[str, ...]:
    """Those numeric addresses of a host that are of this machine; none for another's.

    Raises StartRefused when nobody knows the name, Unavailable when nobody can be asked now.
    """
    try:
        targets = _targets(host, 0)
    except socket.gaierror as error:
        words = f"the host {host} cannot be resolved: {_reason(error)}"
        if error.errno == socket.EAI_AGAIN:
            raise Unavailable(words) from None
        raise StartRefused(words) from None
    except (OSError, UnicodeError) as error:
        raise StartRefused(f"the host {host} cannot be resolved: {_reason(error)}") from None
    return tuple(str(target.place[0]).partition("%")[0] for target in targets if _is_ours(target))


def _is_ours(target: _Target) -> bool:
    try:
        with socket.socket(target.family, socket.SOCK_STREAM) as probe:
            probe.bind(target.place)
    except OSError:
        return False
    return True


def numeric_host(host: str) -> Optional[str]:
    """A numeric address of a host name that is of this machine, or None for another's."""
    try:
        return next(iter(own_numbers(host)), None)
    except (StartRefused, Unavailable):
        return None


def adopt(sock: socket.socket, network: NetworkSettings, peer: str) -> Stream:
    """A connected socket as a Stream: no delay, kept alive, every block in the kernel bounded."""
    stall = network.stall_timeout_seconds
    interval = struct.pack("ll", int(stall), int(stall % 1 * 1_000_000))
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
    if sock.family == socket.AF_UNIX:
        local = LocalStream(sock, stall, peer)
        local.binding = _bound_to(os.geteuid())
        return local
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _keep_alive(sock)
    return Stream(sock, stall, peer)


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEP_ALIVE_IDLE_SECONDS),
        ("TCP_KEEPINTVL", _KEEP_ALIVE_INTERVAL_SECONDS),
        ("TCP_KEEPCNT", KEEP_ALIVE_PROBES),
    ):
        if hasattr(socket, name):  # Not every system lets a program say how often.
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
