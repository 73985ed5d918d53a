"""RPyC, tamed: with `frames.py` the only module that imports rpyc.

Theory of operation. Services are ordinary RPyC services (`class NameNodeService(Service)` with
`exposed_…` methods), and in mode `simple` a stock `rpyc.connect(host, port).root` can call them.
What differs from stock RPyC, and why (each hazard was measured on RPyC 6.0.2):

- A frame is bounded, never compressed, and goes out in one write with TCP_NODELAY (stock: three
  writes, 40 ms a call); see `frames.py`.
- Only None, bool, int, float, str, bytes and tuple cross. A netref argument would make the server
  call back into the client; a returned object would be open to change by the client.
- A request may ask for: ping, close, the root, and the root's exposed methods. Nothing else: stock
  handlers accept values as targets (48 bytes of request could allocate 3 GB).
- Errors cross as (code, message) without traceback or version, also for results that cannot cross.
- One thread uses a connection at a time, and a connection is dropped after any failure in it.
- A call may have a body (see `packets.py`): as its table says (see `calls.py`), its method receives
  a PacketReader or a PacketWriter as its first argument.
"""

import inspect
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from zookeeper.fabric.calls import TAKES_BODY, Call, serves
from zookeeper.fabric.meter import CallMetric, Meter, ServerCalls
from zookeeper.fabric.release import without_rpyc

try:
    import rpyc
except ModuleNotFoundError:
    raise without_rpyc() from None
from rpyc.core import consts
from rpyc.core.protocol import Connection

from zookeeper.fabric import logs
from zookeeper.fabric.budget import Account
from zookeeper.fabric.errors import (
    DfsError,
    InternalError,
    InvalidArgument,
    PermissionDenied,
    ProtocolViolation,
)
from zookeeper.fabric.figures import Family
from zookeeper.fabric.frames import Frames, plain, request_in
from zookeeper.fabric.identity import ANONYMOUS, Principal
from zookeeper.fabric.packets import PacketReader, PacketWriter
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.stream import Stream

log = logs.get("rpc")

LOCAL_OBJECTS_MAX = 1000
"""Bound methods that a stock client may hold on one connection at a time."""

REQUEST_BYTES_MAX = 4 << 20
"""What a request may have unless the service expects larger ones of this client: a file's 10,000
blocks have 0.3 MB, as a part of a block report has."""

WAITING_SLICE_SECONDS = 0.5
"""How often a call that waits looks whether anybody still waits for its answer."""

ERROR_CHARACTERS_MAX = 10_000
LINGER_SECONDS = 2.0
"""How long a refused client may go on sending before the connection is cut."""


class Peer(NamedTuple):
    """Who is at the other end: the name it gave, its address, whether it proved the name, and the
    second since 1970 of the issue of the key that it did so with."""

    principal: Principal
    host: str
    proved: bool = False
    issued: int = 0


@serves(ServerCalls)
class Service(rpyc.Service):
    """Base of every service: one instance a connection, made by the server's factory."""

    peer = Peer(ANONYMOUS, "")
    meter = Meter()
    """The server replaces it by its own, as it does with the peer."""

    def answer(self, call: Call, method: Callable[..., Any], args: Tuple[Any, ...]) -> Any:
        """Answer a call of a table that this service `serves`, and measure that."""
        started = time.monotonic()
        try:
            if call.who and self.peer.principal.role not in call.who:
                raise PermissionDenied(f"{self.peer.principal} may not call {call.name}")
            # Before the caller's rights: of what is denied, the arguments are noted as well.
            values = call.checked(args)
            if call.superuser:
                self.require_superuser()
            result = call.packed(method(*self.own(call, values, args)))
        except Exception as error:
            self.note(call, args, time.monotonic() - started, error)
            raise
        self.note(call, args, time.monotonic() - started, None)
        return result

    def note(
        self, call: Call, args: Tuple[Any, ...], seconds: float, error: Optional[Exception]
    ) -> None:
        """A call of a table is over."""
        self.meter.note(call.name, seconds, error is not None)

    def metrics(self) -> Tuple[CallMetric, ...]:
        """See ServerCalls."""
        return self.meter.metrics()

    def figures(self) -> Tuple[Family, ...]:
        """See ServerCalls."""
        return (*self.server_figures(), *self.own_figures())

    def server_figures(self) -> Tuple[Family, ...]:
        """What every server tells; it replaces this by what it knows."""
        return self.meter.figures()

    def own_figures(self) -> Tuple[Family, ...]:
        """What only this kind of service tells."""
        return ()

    def own(self, call: Call, values: Tuple[Any, ...], args: Tuple[Any, ...]) -> Tuple[Any, ...]:
        """The values that a call's method gets for these checked ones, which came as `args`."""
        return values

    def require_superuser(self) -> None:
        """Raise PermissionDenied unless the caller is an administrator; here, nobody is."""
        raise PermissionDenied(f"{self.peer.principal} is no administrator of this service")

    def ended(self, by_client: bool) -> None:
        """The connection is over. Its client ended it, or died; or else this server did."""

    def gone(self) -> bool:
        """Whether nobody waits for the answer any more: the client hung up, or had to make room.

        The server replaces it, as `note_waiting`.
        """
        return False

    def note_waiting(self, waiting: bool) -> None:
        """A call begins, or ends, that does nothing but wait."""


class ServerConnection(Connection):
    """Serves one client's requests, one after the other, in the thread that accepted it."""

    def __init__(
        self, root: Service, channel: Frames, config: Dict[str, Any], account: Account
    ) -> None:
        super().__init__(root, channel, config)
        self._account = account
        self._stream = channel.stream
        self._received = 0
        self._body: Optional[PacketReader] = None
        self._handlers: Dict[int, Callable[..., Any]] = {
            consts.HANDLE_PING: lambda data: data,
            consts.HANDLE_GETROOT: lambda: self._local_root,
            # The names of a class's methods, which only spoil a stock client's surprises.
            consts.HANDLE_INSPECT: lambda id_pack: (),
            consts.HANDLE_GETATTR: self._exposed,
            consts.HANDLE_CALL: self._run,
            consts.HANDLE_CALLATTR: self._call_named,
            consts.HANDLE_DEL: self._handle_del,
        }

    def receive(self) -> Optional[List[Any]]:
        """[number, RPyC's handler, boxed arguments] of a request; None when it is the goodbye."""
        try:
            message = self._channel.recv(time.monotonic() + self._stream.stall_seconds)
            kind, number, content = request_in(message)
            if kind != consts.MSG_REQUEST or type(content) is not tuple or len(content) != 2:
                raise ProtocolViolation("only requests are served here")
        except ProtocolViolation:
            # It may be the body of a call that was refused, and the client is yet to hear of it.
            self._stream.linger_and_close(LINGER_SECONDS)
            raise
        handler, boxed = content
        self._received = len(message)
        return None if handler == consts.HANDLE_CLOSE else [number, handler, boxed]

    def answer(self, request: List[Any]) -> None:
        """Run a request and reply; afterwards the stream may be closed. Raises Unavailable.

        The request is emptied: what its sender does not read must not be kept twice.
        """
        self._body = None
        number, handler, boxed = request
        request.clear()
        try:
            reply = self._reply(number, handler, boxed)
            del boxed
            self._account.release()
            self._account.hold_reply(len(reply))
        except DfsError as error:
            reply = self._channel.encode(consts.MSG_EXCEPTION, number, _exception(error))
        self._local_root.meter.carry(self._received, len(reply))
        self._channel.send(reply, time.monotonic() + self._stream.stall_seconds)
        self._account.release()
        if self._body is not None and not self._body.ended:
            # The client is still sending. It was told why we do not want it; then hang up.
            self._stream.linger_and_close(LINGER_SECONDS)

    def close(self) -> None:
        """Forget the client; stock RPyC would wait for its goodbye.

        Nothing is left that refers to itself: the collector may never look for it.
        """
        if not self._closed:
            self._cleanup()
            self._handlers.clear()

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

    def _call_named(
        self, target: Any, name: Any, args: Tuple[Any, ...], kwargs: Tuple[Any, ...] = ()
    ) -> Any:
        """Call a method by name; target None means the root and saves fetching it."""
        return self._call(self._exposed(target, name), args, kwargs)

    def _exposed(self, target: Any, name: Any) -> Callable[..., Any]:
        if target is not None and target is not self._local_root:
            raise InvalidArgument("only the service itself has methods")
        full_name = name if name.startswith("exposed_") else "exposed_" + name
        method = getattr(self._local_root, full_name, None)
        if not self._is_exposed(method):
            raise InvalidArgument(f"no such method: {name[:100]}")
        assert callable(method), "it is exposed"
        return method

    def _is_exposed(self, obj: Any) -> bool:
        bound = getattr(obj, "__self__", None) is self._local_root
        return bound and obj.__name__.startswith("exposed_")

    def _run(
        self, method: Callable[..., Any], args: Tuple[Any, ...], kwargs: Tuple[Any, ...] = ()
    ) -> Any:
        if not self._is_exposed(method):
            raise InvalidArgument("only exposed methods can be called")
        return self._call(method, args, kwargs)

    def _call(
        self, method: Callable[..., Any], args: Tuple[Any, ...], kwargs: Tuple[Any, ...]
    ) -> Any:
        if kwargs:
            raise InvalidArgument("arguments are given by position")
        body = getattr(method, "body", None)
        try:
            if body is None:
                waiting = getattr(method, "waits", False)
                return self._run_waiting(method, args) if waiting else method(*args)
            if body == TAKES_BODY:
                self._body = PacketReader(self._stream)
                return method(self._body, *args)
            return self._run_answering_with_body(method, args)
        except TypeError as error:
            raise _our_own(_argument_error(method, args, error)) from None
        except Exception as error:
            raise _our_own(error) from None

    def _run_waiting(self, method: Callable[..., Any], args: Tuple[Any, ...]) -> Any:
        self._local_root.note_waiting(True)
        try:
            return method(*args)
        finally:
            self._local_root.note_waiting(False)

    def _run_answering_with_body(self, method: Callable[..., Any], args: Tuple[Any, ...]) -> Any:
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


def serve(
    stream: Stream,
    service: Service,
    network: NetworkSettings,
    account: Account,
    large_requests: bool = False,
) -> ServerConnection:
    """The serving end of a connection whose client has been let in.

    `large_requests`: whether this client's calls may need more than REQUEST_BYTES_MAX.
    """
    config = {"allow_safe_attrs": False, "sync_request_timeout": 1, "logger": None}
    most = network.max_frame_bytes
    received_max = most if large_requests else min(most, REQUEST_BYTES_MAX)
    return ServerConnection(service, Frames(stream, most, received_max, account), config, account)


def _our_own(error: Exception) -> DfsError:
    """Any exception as one of the family; what is not is a defect, logged with its traceback."""
    if isinstance(error, DfsError):
        return error
    log.error("call.failed", exc_info=True, error=type(error).__name__)
    return InternalError("the server met an unexpected error; its log has the details")


def _argument_error(
    method: Callable[..., Any], args: Tuple[Any, ...], error: TypeError
) -> Exception:
    body = (None,) if getattr(method, "body", None) else ()
    try:
        inspect.signature(method).bind(*body, *args)
    except TypeError as mismatch:
        return InvalidArgument(f"{method.__name__[len('exposed_'):]}: {mismatch}")
    return error


def _exception(error: DfsError) -> Tuple[Any, ...]:
    """What vinegar.load on the other side (also a stock client's) makes an exception of."""
    message = error.message[:ERROR_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")
    return (("pyhdfs", type(error).__name__), (error.code, message), (), "")
