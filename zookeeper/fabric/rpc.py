"""RPyC, tamed: the only module that imports rpyc and socket.

Theory of operation. Services are ordinary RPyC services (`class NameNodeService(Service)` with
`exposed_…` methods), and in mode `simple` a stock `rpyc.connect(host, port).root` can call them.
What differs from stock RPyC, and why (each hazard was measured on RPyC 6.0.2):

- A frame is bounded, never compressed (a 61 KB frame could unpack to 0.7 GB), and goes out in one
  write with TCP_NODELAY (stock: three writes, 40 ms a call).
- Only None, bool, int, float, str, bytes and tuple cross. A netref argument would make the server
  call back into the client; a returned object would be open to change by the client.
- A request may ask for: ping, close, the root, and the root's exposed methods. Nothing else: stock
  handlers accept values as targets (48 bytes of request could allocate 3 GB).
- Errors cross as (code, message) without traceback or version.
- One thread uses a connection at a time, and a connection is dropped after any failure in it.
- A call may have a body (see `stream.py`): an exposed method marked `@takes_body` receives a
  PacketReader, one marked `@answers_with_body` a PacketWriter, as its first argument.
"""

import inspect
import socket
import struct
from typing import Any, Callable, NamedTuple, Optional, Tuple

import rpyc
from rpyc.core import brine, consts
from rpyc.core.channel import Channel
from rpyc.core.protocol import Connection

from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    DfsError,
    InternalError,
    InvalidArgument,
    ProtocolViolation,
    StartRefused,
    Unavailable,
    from_wire,
)
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.stream import PacketReader, PacketWriter, Stream

log = logs.get("rpc")

LOCAL_OBJECTS_MAX = 1000
"""Bound methods that a stock client may hold on one connection at a time."""

_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_TAKES_BODY, _ANSWERS_WITH_BODY = "takes", "answers"

# A peer must not be able to make us build these: a frozenset of colliding integers costs quadratic
# time (0.5 MB: 3 s), and nothing that we say uses any of them.
for _tag in (brine.TAG_FSET, brine.TAG_SLICE, brine.TAG_COMPLEX, brine.TAG_ELLIPSIS):
    brine._load_registry.pop(_tag, None)


def takes_body(method: Callable) -> Callable:
    """Mark an exposed method whose request is followed by packets."""
    method.body = _TAKES_BODY  # type: ignore[attr-defined]
    return method


def answers_with_body(method: Callable) -> Callable:
    """Mark an exposed method that sends packets before its reply."""
    method.body = _ANSWERS_WITH_BODY  # type: ignore[attr-defined]
    return method


def plain(value: Any) -> Any:
    """`value` as it may cross the wire: named tuples become tuples; anything else is refused."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, tuple):
        return tuple([plain(item) for item in value])
    raise TypeError(f"a {type(value).__name__} may not cross the wire")


class Peer(NamedTuple):
    """Who is at the other end: the name it gave (proved in mode `secret`) and its address."""

    principal: str
    host: str


class Service(rpyc.Service):
    """Base of every service: one instance a connection, made by the server's factory."""

    peer = Peer("anonymous", "")


class Frames(Channel):
    """RPyC's frames, bounded and uncompressed, each sent with one gathered write."""

    __slots__ = ("_bytes_max",)

    def __init__(self, stream: Stream, bytes_max: int) -> None:
        super().__init__(stream, compress=False)
        self._bytes_max = bytes_max

    def recv(self) -> bytes:
        length, compressed = self.FRAME_HEADER.unpack(self.stream.read(self.FRAME_HEADER.size))
        if length > self._bytes_max or compressed:
            self.stream.close()
            raise ProtocolViolation(f"{self.stream.peer} sent a frame that is not allowed")
        return self.stream.read(length + 1)[:-1]

    def send(self, data: bytes) -> None:
        if len(data) > self._bytes_max:
            raise ProtocolViolation(f"a message of {len(data)} bytes; {self._bytes_max} allowed")
        head = self.FRAME_HEADER.pack(len(data), 0)
        self.stream.write_parts(head, data, self.FLUSHER)


class ServerConnection(Connection):
    """Serves one client's requests, one after the other, in the thread that accepted it."""

    def __init__(self, root: Service, channel: Frames, config: dict) -> None:
        super().__init__(root, channel, config)
        self._stream: Stream = channel.stream
        self._handlers = {
            consts.HANDLE_PING: lambda data: data,
            consts.HANDLE_GETROOT: lambda: self._local_root,
            consts.HANDLE_INSPECT: self._handle_inspect,
            consts.HANDLE_GETATTR: self._exposed,
            consts.HANDLE_CALL: self._call_bound,
            consts.HANDLE_CALLATTR: self._call_named,
            consts.HANDLE_DEL: self._handle_del,
        }

    def serve_request(self) -> bool:
        """Receive one request, run it, reply; False when the client said goodbye."""
        data = self._channel.recv()
        try:
            message = data[0]
            seq, (handler, packed) = brine.load(data[1:])
        except Exception as error:  # Whatever brine meets in a stranger's bytes.
            raise ProtocolViolation(f"malformed frame: {type(error).__name__}") from None
        if message != consts.MSG_REQUEST or type(seq) is not int:
            raise ProtocolViolation("only requests are served here")
        if handler == consts.HANDLE_CLOSE:
            return False
        try:
            reply = self._box(self._handlers[handler](*self._unbox(packed)))
        except Exception as error:
            self._send(consts.MSG_EXCEPTION, seq, _exception_frame(_our_own(error)))
        else:
            self._send(consts.MSG_REPLY, seq, reply)
        return not self._stream.closed

    def close(self) -> None:
        """Forget the client; stock RPyC would wait for its goodbye."""
        if not self._closed:
            self._cleanup()

    def _call_bound(self, method: Any, args: tuple, kwargs: tuple = ()) -> Any:
        """Call a bound method that a stock client fetched before."""
        if getattr(method, "__self__", None) is not self._local_root:
            raise InvalidArgument("only exposed methods can be called")
        return self._run(method, args, kwargs)

    def _call_named(self, target: Any, name: Any, args: tuple, kwargs: tuple = ()) -> Any:
        """Call a method by name; target None means the root and saves fetching it."""
        return self._run(self._exposed(target, name), args, kwargs)

    def _exposed(self, target: Any, name: Any) -> Callable:
        if target is not None and target is not self._local_root:
            raise InvalidArgument("only the service itself has methods")
        if type(name) is not str:
            raise InvalidArgument("a method's name is a string")
        full_name = name if name.startswith("exposed_") else "exposed_" + name
        method = getattr(self._local_root, full_name, None)
        if not callable(method):
            raise InvalidArgument(f"no such method: {name[:100]}")
        return method

    def _run(self, method: Callable, args: tuple, kwargs: tuple) -> Any:
        body = getattr(method, "body", None)
        try:
            if body is None:
                return method(*args, **dict(kwargs))
            if body == _TAKES_BODY:
                return self._run_taking_body(method, args)
            return self._run_answering_with_body(method, args)
        except TypeError as error:
            raise _argument_error(method, args, error) from None

    def _run_taking_body(self, method: Callable, args: tuple) -> Any:
        reader = PacketReader(self._stream)
        try:
            return method(reader, *args)
        except Exception as error:
            if reader.ended or self._stream.closed:
                raise
            # The client is still sending: tell it why, then hang up on the rest of the body.
            self._send(consts.MSG_EXCEPTION, 0, _exception_frame(_our_own(error)))
            self._stream.linger_and_close(2.0)
            raise Unavailable("the body was refused") from None

    def _run_answering_with_body(self, method: Callable, args: tuple) -> Any:
        writer = PacketWriter(self._stream)
        try:
            result = method(writer, *args)
            writer.end()
            return result
        except Exception:
            if not self._stream.closed:
                writer.abort()
            raise

    def _box(self, obj: Any) -> Tuple[int, Any]:
        if obj is self._local_root or getattr(obj, "__self__", None) is self._local_root:
            if len(self._local_objects._dict) >= LOCAL_OBJECTS_MAX:
                raise ProtocolViolation("too many references held by one connection")
            return super()._box(obj)
        return consts.LABEL_VALUE, plain(obj)

    def _unbox(self, package: Any) -> Any:
        label, value = package
        if label == consts.LABEL_VALUE:
            return plain(value)
        if label == consts.LABEL_TUPLE:
            return tuple([self._unbox(item) for item in value])
        if label == consts.LABEL_LOCAL_REF:
            return self._local_objects[value]
        raise InvalidArgument("arguments are plain values; a reference to an object is refused")


def request_frame(sequence: int, method: str, args: tuple) -> bytes:
    """The frame that calls the root's exposed `method`."""
    named = (consts.LABEL_VALUE, (None, method, plain(args), ()))
    message = (sequence, (consts.HANDLE_CALLATTR, named))
    return brine.I1.pack(consts.MSG_REQUEST) + brine.dump(message)


def reply_value(frame: bytes) -> Any:
    """The result in a reply's frame, or raise the error in it; ValueError on any other frame."""
    try:
        kind = frame[0]
        _, content = brine.load(frame[1:])
        if kind == consts.MSG_EXCEPTION:
            error = from_wire(*content[1])
        else:
            label, value = content
            if kind == consts.MSG_REPLY and label == consts.LABEL_VALUE:
                return value
            raise ValueError("neither a value nor an error")
    except Exception as error:  # Whatever brine meets in a stranger's bytes.
        raise ValueError(f"malformed reply: {type(error).__name__}") from None
    raise error


def serve(stream: Stream, service: Service, network: NetworkSettings) -> ServerConnection:
    """The serving end of a connection whose client has been let in."""
    config = {"allow_safe_attrs": False, "sync_request_timeout": 1, "logger": None}
    return ServerConnection(service, Frames(stream, network.max_frame_bytes), config)


def _our_own(error: Exception) -> DfsError:
    """Any exception as one of the family; what is not is a defect, logged with its traceback."""
    if isinstance(error, DfsError):
        return error
    log.error("call.failed", exc_info=True, error=type(error).__name__)
    return InternalError("the server met an unexpected error; its log has the details")


def _argument_error(method: Callable, args: tuple, error: TypeError) -> Exception:
    body = getattr(method, "body", None)
    try:
        inspect.signature(method).bind(*((None,) if body else ()), *args)
    except TypeError as mismatch:
        return InvalidArgument(f"{method.__name__[len('exposed_'):]}: {mismatch}")
    return error


def _exception_frame(error: DfsError) -> tuple:
    """What vinegar.load on the other side (also a stock client's) makes an exception of."""
    message = error.message.encode("utf-8", "replace").decode("utf-8")
    return (("pyhdfs", type(error).__name__), (error.code, message), (), "")


def dial(address: Address, network: NetworkSettings, peer: str) -> Stream:
    """A connected stream; raises Unavailable when nobody answers at `address`."""
    try:
        sock = socket.create_connection(address, timeout=network.handshake_timeout_seconds)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise Unavailable(f"cannot reach the {peer}: {reason}") from None
    return adopt(sock, network, peer)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 asks the system for a free one; raises StartRefused."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(socket.SOMAXCONN)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartRefused(f"cannot listen on {host}:{port}: {reason}") from None
    return sock


def numeric_host(host: str) -> Optional[str]:
    """The numeric address of a host name that is of this machine, or None for another's."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0], socket.SOCK_STREAM) as probe:
            probe.bind(found[4])
    except OSError:
        return None
    return found[4][0].partition("%")[0]


def adopt(sock: socket.socket, network: NetworkSettings, peer: str) -> Stream:
    """A connected socket as a Stream: no delay, every block in the kernel bounded."""
    stall = network.stall_timeout_seconds
    interval = struct.pack("ll", int(stall), int(stall % 1 * 1_000_000))
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Stream(sock, stall, peer)
