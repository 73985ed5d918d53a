"""One breakable link: a TCP proxy that passes bytes on, until a test tells it not to."""

import socket
import struct
import threading
import time
from typing import Callable, FrozenSet, List, Optional, Set, Tuple

Address = Tuple[str, int]

_PIECE_BYTES = 1 << 16
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s.


class Trap:
    """What is to happen once, just before a message is passed on, which waits meanwhile."""

    def __init__(self, text: bytes, answered: bool, action: Callable[[], None]) -> None:
        self.sprung = False
        self._text = text
        self._answered = answered
        self._action = action
        self._lock = threading.Lock()
        self._asked: Optional[socket.socket] = None

    def see(self, near: socket.socket, piece: bytes, asks: bool) -> None:
        """A piece is about to pass between `near`, who connected, and the target."""
        with self._lock:
            if asks and self._text in piece:
                self._asked = near
            if self.sprung or self._asked is not near or asks == self._answered:
                return
            self.sprung = True
        self._action()


class Proxy:
    """Listens on `address` and passes everything on to `target`, in both directions.

    Who connects to the proxy instead of to the target can be delayed, stalled and cut, alone:
    others that connect to the target itself notice nothing. Every state holds for connections
    that exist and for those yet to come, until `heal`.
    """

    def __init__(self, target: Address, listen: Optional[Address] = ("127.0.0.1", 0)) -> None:
        """With no address to listen at it only passes on what it is given, see `take`."""
        self.target = target
        self._changed = threading.Condition()
        self._delay_seconds = 0.0
        self._stalled: FrozenSet[bool] = frozenset()  # Of requests (True), of answers (False).
        self._is_cut = False
        self._closed = False
        self._open: Set[socket.socket] = set()
        self._drained: Set[socket.socket] = set()  # Ends that will send no more.
        self._threads: List[threading.Thread] = []
        self._traps: List[Trap] = []
        self.meddle: Callable[[bytes], bytes] = lambda piece: piece
        """What becomes of each piece on its way; nothing is held back for it."""
        self.bytes_passed = 0
        self.connections_made = 0
        self._listener = None if listen is None else socket.create_server(listen, backlog=64)
        self.address: Address = target
        if self._listener is not None:
            self.address = self._listener.getsockname()[:2]
            self._start(self._accept, self._listener)

    def __repr__(self) -> str:
        state = "cut" if self._is_cut else "stalled" if self._stalled else "whole"
        return f"<Proxy {self.address} to {self.target}, {state}, {len(self._open) // 2} links>"

    def delay(self, seconds: float) -> None:
        """Hold every piece of bytes back for `seconds`, in each direction."""
        with self._changed:
            self._delay_seconds = seconds
            self._changed.notify_all()

    def stall(self, requests: bool = True, answers: bool = True) -> None:
        """Pass nothing on, or nothing in one direction; connections stay open and new ones are
        made: a host that hangs."""
        with self._changed:
            self._stalled = frozenset([True] * requests + [False] * answers)

    def cut(self) -> None:
        """Reset every connection, and each new one at once."""
        with self._changed:
            self._is_cut = True
            self._changed.notify_all()
        self.reset()

    def reset(self) -> None:
        """Reset the connections that exist; new ones work."""
        with self._changed:
            broken, self._open = self._open, set()
        for end in broken:
            _reset(end)

    def trap(self, text: bytes, action: Callable[[], None], answered: bool = False) -> Trap:
        """Call `action` before the first message with `text` is passed on to the target; with
        `answered` before what the target says next on that connection is passed back."""
        trap = Trap(text, answered, action)
        with self._changed:
            self._traps = [other for other in self._traps if not other.sprung] + [trap]
        return trap

    def heal(self) -> None:
        """Pass everything on again, first of all what was stalled."""
        with self._changed:
            self._delay_seconds, self._stalled, self._is_cut = 0.0, frozenset(), False
            self._changed.notify_all()

    def close(self) -> None:
        """End for good; returns when no thread and no socket is left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        # A thread in accept does not notice that its socket is closed, but does notice a shutdown.
        if self._listener is not None:
            _shut_down(self._listener)
            self._listener.close()
        self.reset()
        while True:
            with self._changed:
                if not self._threads:
                    return
                thread = self._threads.pop()
            thread.join()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore
        with self._changed:
            # Those that have ended need nobody to join them: a link may live for hours.
            self._threads[:] = [one for one in self._threads if one.is_alive()]
            self._threads.append(thread)
            thread.start()

    def take(self, near: socket.socket) -> None:
        """Pass on a connection that was accepted for the target."""
        with self._changed:
            refused = self._closed or self._is_cut
        far = None if refused else self._dial()
        if far is None:
            _reset(near)
        else:
            self._join(near, far)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # Closed.
            self.take(near)

    def _dial(self) -> Optional[socket.socket]:
        try:
            return socket.create_connection(self.target, timeout=10)
        except OSError:
            return None  # The target is down: whoever connects to it through us shall see that.

    def _join(self, near: socket.socket, far: socket.socket) -> None:
        for end in (near, far):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._changed:
            self._open.update((near, far))
            self.connections_made += 1
        self._start(self._pump, near, far, True)
        self._start(self._pump, far, near, False)

    def _pump(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        """Pass one direction on until its end; half of a connection may end before the other."""
        ended = self._pass_on(source, sink, asks)
        with self._changed:
            self._drained.add(source)
            if ended and sink not in self._drained:
                return  # The other direction goes on; its thread will close both.
            self._drained -= {source, sink}
            self._open -= {source, sink}
        for end in (source, sink):
            _reset(end)

    def _pass_on(self, source: socket.socket, sink: socket.socket, asks: bool) -> bool:
        """Whether the source came to its proper end, and the sink knows it."""
        try:
            while True:
                piece = source.recv(_PIECE_BYTES)
                for trap in self._traps:
                    trap.see(source if asks else sink, piece, asks)
                if not self._hold_back(asks):
                    return False
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return True
                sink.sendall(self.meddle(piece))
                self.bytes_passed += len(piece)
        except OSError:
            return False  # One end is gone: the other one must learn it.

    def _hold_back(self, asks: bool) -> bool:
        """Wait as long as the link's state demands; whether the link still is one then."""
        arrived = time.monotonic()
        with self._changed:
            while not (self._closed or self._is_cut):
                left = arrived + self._delay_seconds - time.monotonic()
                stalled = asks in self._stalled
                if not stalled and left <= 0:
                    return True
                self._changed.wait(None if stalled else left)
        return False


def _reset(end: socket.socket) -> None:
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    except OSError:
        pass  # Reset by the peer already, or closed.
    # A thread may be blocked in recv on it: only a shutdown wakes that one up.
    _shut_down(end)
    end.close()


def _shut_down(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # Not connected any more.
