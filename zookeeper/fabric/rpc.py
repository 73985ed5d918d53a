"""RPyC, tamed: the only module that imports rpyc.

Theory of operation. Services are ordinary RPyC services (`class NameNodeService(Service)` with
`exposed_…` methods), and in mode `simple` a stock `rpyc.connect(host, port).root` can call them.
What differs from stock RPyC, and why (each hazard was measured on RPyC 6.0.2):

- A frame is bounded, never compressed (a 61 KB frame could unpack to 0.7 GB), and goes out in one
  write with TCP_NODELAY (stock: three writes, 40 ms a call).
- Only None, bool, int, float, str, bytes and tuple cross. A netref argument would make the server
  call back into the client; a returned object would be open to change by the client.
- A request may ask for: ping, close, the root, and the root's exposed methods. Nothing else: stock
  handlers accept values as targets (48 bytes of request could allocate 3 GB).
- Errors cross as (code, message) without traceback or version, also for results that cannot cross.
- One thread uses a connection at a time, and a connection is dropped after any failure in it.
- A call may have a body (see `stream.py`): an exposed method marked `@takes_body` receives a
  PacketReader, one marked `@answers_with_body` a PacketWriter, as its first argument.
"""

import inspect
import io
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from zookeeper.fabric.release import without_rpyc

try:
    import rpyc
except ModuleNotFoundError:
    raise without_rpyc() from None
from rpyc.core import brine, consts
from rpyc.core.channel import Channel
from rpyc.core.protocol import Connection

from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    DfsError,
    InternalError,
    InvalidArgument,
    ProtocolViolation,
    from_wire,
)
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.stream import PacketReader, PacketWriter, Stream

log = logs.get("rpc")

LOCAL_OBJECTS_MAX = 1000
"""Bound methods that a stock client may hold on one connection at a time."""

REQUEST_PIECES_MAX = 500_000
"""Reads that taking a request apart may need: one of a byte makes 64 bytes of objects."""

ERROR_CHARACTERS_MAX = 10_000
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before the connection is cut."""

_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_TAKES_BODY, _ANSWERS_WITH_BODY = "takes", "answers"
_SMALL_FRAME_BYTES = 65536

# A peer must not be able to make us build these: a frozenset of colliding integers costs quadratic
# time (0.5 MB: 3 s), and nothing that we say uses any of them. What is left are the plain values,
# so what was loaded needs no second look. Integers of a million digits, as costly, are refused by
# Python itself since 3.9.14; before, long ones are not read at all.
_foreign = ["FSET", "SLICE", "COMPLEX", "ELLIPSIS", "NOT_IMPLEMENTED"]
for _name in _foreign if hasattr(sys, "set_int_max_str_digits") else _foreign + ["INT_L4"]:
    brine._load_registry.pop(getattr(brine, "TAG_" + _name), None)


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

    def recv(self, deadline: float) -> bytes:
        """The next message, with RPyC's newline at its end; all of it is here by `deadline`."""
        head = self.stream.read_by(self.FRAME_HEADER.size, deadline)
        length, compressed = self.FRAME_HEADER.unpack(head)
        if length > self._bytes_max or compressed:
            raise ProtocolViolation(f"{self.stream.peer} sent a frame that is not allowed")
        return self.stream.read_by(length + len(self.FLUSHER), deadline)

    def send(self, message: bytes, deadline: float) -> None:
        """Send what `encode` made, all of it by `deadline`."""
        head = self.FRAME_HEADER.pack(len(message), 0)
        self.stream.write_by(deadline, head, message, self.FLUSHER)

    def encode(self, kind: int, sequence: int, content: Any) -> bytes:
        """A message; raises ValueError when a value cannot cross, or there is too much."""
        message = brine.I1.pack(kind) + brine.dump((sequence, content))
        if len(message) > self._bytes_max:
            raise ValueError(f"a message of {len(message)} bytes; {self._bytes_max} allowed")
        return message


class _Pieces(io.BytesIO):
    """A large request while it is taken apart, which ends when it has too many pieces."""

    left = REQUEST_PIECES_MAX

    def read(self, size: Optional[int] = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ValueError("too many values")
        return super().read(size)


_OWN_FILES = (__file__, brine.__file__)


def _require_own(error: BaseException) -> None:
    """Raise `error` again unless it comes from taking a message apart or putting one together.

    A signal handler may raise anything, anywhere: what it raises is for its caller.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_code.co_filename not in _OWN_FILES:
        raise error


def _decode(message: bytes, pieces: Callable[[bytes], io.BytesIO]) -> Tuple[int, int, Any]:
    """(kind, sequence, content) of a message; raises ProtocolViolation."""
    try:
        data = pieces(message)
        kind = data.read(1)[0]
        sequence, content = brine._load(data)
        if type(sequence) is not int:
            raise TypeError("a message's number is an integer")
    except Exception as error:  # Whatever brine meets in a stranger's bytes.
        _require_own(error)
        raise ProtocolViolation(f"a malformed message: {type(error).__name__}") from None
    return kind, sequence, content


class ServerConnection(Connection):
    """Serves one client's requests, one after the other, in the thread that accepted it."""

    def __init__(self, root: Service, channel: Frames, config: dict) -> None:
        super().__init__(root, channel, config)
        self._stream = channel.stream
        self._body: Optional[PacketReader] = None
        self._handlers: Dict[int, Callable] = {
            consts.HANDLE_PING: lambda data: data,
            consts.HANDLE_GETROOT: lambda: self._local_root,
            # The names of a class's methods, which only spoil a stock client's surprises.
            consts.HANDLE_INSPECT: lambda id_pack: (),
            consts.HANDLE_GETATTR: self._exposed,
            consts.HANDLE_CALL: self._run,
            consts.HANDLE_CALLATTR: self._call_named,
            consts.HANDLE_DEL: self._handle_del,
        }

    def receive(self) -> Optional[Tuple[int, int, Any]]:
        """(number, RPyC's handler, boxed arguments) of a request; None when it is the goodbye."""
        try:
            message = self._channel.recv(time.monotonic() + self._stream.stall_seconds)
            pieces = io.BytesIO if len(message) <= _SMALL_FRAME_BYTES else _Pieces
            kind, number, content = _decode(message, pieces)
            if kind != consts.MSG_REQUEST or type(content) is not tuple or len(content) != 2:
                raise ProtocolViolation("only requests are served here")
        except ProtocolViolation:
            # It may be the body of a call that was refused, and the client is yet to hear of it.
            self._stream.linger_and_close(LINGER_SECONDS)
            raise
        handler, boxed = content
        return None if handler == consts.HANDLE_CLOSE else (number, handler, boxed)

    def answer(self, number: int, handler: int, boxed: Any) -> None:
        """Run a request and reply; afterwards the stream may be closed. Raises Unavailable."""
        self._body = None
        try:
            reply = self._reply(number, handler, boxed)
        except DfsError as error:
            reply = self._channel.encode(consts.MSG_EXCEPTION, number, _exception(error))
        self._channel.send(reply, time.monotonic() + self._stream.stall_seconds)
        if self._body is not None and not self._body.ended:
            # The client is still sending. It was told why we do not want it; then hang up.
            self._stream.linger_and_close(LINGER_SECONDS)

    def close(self) -> None:
        """Forget the client; stock RPyC would wait for its goodbye."""
        if not self._closed:
            self._cleanup()

    def _reply(self, number: int, handler: int, boxed: Any) -> bytes:
        try:
            result = self._handlers[handler](*self._unbox_all(boxed))
        except DfsError:
            raise
        except Exception as error:  # Of the handlers' own; a method's was made a DfsError.
            raise InvalidArgument(f"a malformed request: {type(error).__name__}") from None
        try:
            return self._channel.encode(consts.MSG_REPLY, number, self._box(result))
        except Exception as error:
            raise _our_own(error) from None

    def _call_named(self, target: Any, name: Any, args: tuple, kwargs: tuple = ()) -> Any:
        """Call a method by name; target None means the root and saves fetching it."""
        return self._run(self._exposed(target, name), args, kwargs)

    def _exposed(self, target: Any, name: Any) -> Callable:
        if target is not None and target is not self._local_root:
            raise InvalidArgument("only the service itself has methods")
        full_name = name if name.startswith("exposed_") else "exposed_" + name
        method = getattr(self._local_root, full_name, None)
        if not self._is_exposed(method):
            raise InvalidArgument(f"no such method: {name[:100]}")
        return method

    def _is_exposed(self, obj: Any) -> bool:
        bound = getattr(obj, "__self__", None) is self._local_root
        return bound and obj.__name__.startswith("exposed_")

    def _run(self, method: Callable, args: tuple, kwargs: tuple = ()) -> Any:
        if not self._is_exposed(method):
            raise InvalidArgument("only exposed methods can be called")
        if kwargs:
            raise InvalidArgument("arguments are given by position")
        body = getattr(method, "body", None)
        try:
            if body is None:
                return method(*args)
            if body == _TAKES_BODY:
                self._body = PacketReader(self._stream)
                return method(self._body, *args)
            return self._run_answering_with_body(method, args)
        except TypeError as error:
            raise _our_own(_argument_error(method, args, error)) from None
        except Exception as error:
            raise _our_own(error) from None

    def _run_answering_with_body(self, method: Callable, args: tuple) -> Any:
        writer = PacketWriter(self._stream)
        try:
            result = method(writer, *args)
        except Exception:
            if not self._stream.closed:
                writer.abort()
            raise
        writer.end()
        return result

    def _box(self, obj: Any) -> Tuple[int, Any]:
        if obj is self._local_root or self._is_exposed(obj):
            if len(self._local_objects._dict) >= LOCAL_OBJECTS_MAX:
                raise ProtocolViolation("too many references held by one connection")
            return super()._box(obj)
        return consts.LABEL_VALUE, plain(obj)

    def _unbox_all(self, package: Any) -> List[Any]:
        """A handler's arguments. Only the first can be an object of ours: the one addressed."""
        label, value = package
        if label == consts.LABEL_VALUE:
            return value
        (label, key), *rest = value if label == consts.LABEL_TUPLE else (package,)
        first = self._local_objects[key] if label == consts.LABEL_LOCAL_REF else None
        return [first or _unbox_plain((label, key))] + [_unbox_plain(item) for item in rest]


def _unbox_plain(package: Any) -> Any:
    label, value = package
    if label == consts.LABEL_VALUE:
        return value
    if label == consts.LABEL_TUPLE:
        return tuple([_unbox_plain(item) for item in value])
    raise InvalidArgument("arguments are plain values; a reference to an object is refused")


def request_message(frames: Frames, sequence: int, method: str, args: tuple) -> bytes:
    """The message of a call; raises InvalidArgument, and TypeError for what may never cross."""
    named = (consts.LABEL_VALUE, (None, method, plain(args), ()))
    try:
        return frames.encode(consts.MSG_REQUEST, sequence, (consts.HANDLE_CALLATTR, named))
    except ValueError as error:  # Lone surrogates, an integer of thousands of digits, too much.
        _require_own(error)
        raise InvalidArgument(f"an argument of {method} cannot be sent: {error}") from None


def ping_message(frames: Frames, sequence: int) -> bytes:
    """The message that asks whether the other side is there."""
    return frames.encode(
        consts.MSG_REQUEST, sequence, (consts.HANDLE_PING, (consts.LABEL_VALUE, (b"",)))
    )


def reply_outcome(message: bytes, sequence: int) -> Any:
    """The result in the reply to this request, or the DfsError that is in its place.

    Raises ProtocolViolation on any other message, also on the reply to another request.
    """
    kind, answered, content = _decode(message, io.BytesIO)
    try:
        if answered == sequence and kind == consts.MSG_EXCEPTION:
            _, (code, text), _, _ = content
            return from_wire(code, text)
        label, value = content
        if answered == sequence and (kind, label) == (consts.MSG_REPLY, consts.LABEL_VALUE):
            return value
    except (TypeError, ValueError):
        pass  # Of another shape.
    raise ProtocolViolation("a message that answers nothing that was asked")


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
    body = (None,) if getattr(method, "body", None) else ()
    try:
        inspect.signature(method).bind(*body, *args)
    except TypeError as mismatch:
        return InvalidArgument(f"{method.__name__[len('exposed_'):]}: {mismatch}")
    return error


def _exception(error: DfsError) -> tuple:
    """What vinegar.load on the other side (also a stock client's) makes an exception of."""
    message = error.message[:ERROR_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")
    return (("pyhdfs", type(error).__name__), (error.code, message), (), "")
