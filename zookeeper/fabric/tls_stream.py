"""TLS on a connected socket: a Stream whose bytes nobody on the way can read or change.

Theory of operation. The library of TLS gets no socket: it turns bytes in memory into others, and
this stream moves them with the reads and writes of a plain one. So every wait keeps its deadline,
another thread can interrupt by shutting the socket down without touching what is being decrypted
(which crashes some releases of Python), and `poll` knows of what came but was not asked for yet.

An end without TLS's own goodbye is an end, as on a plain connection: every message has its length,
so what was cut off is seen.
"""

import os
import ssl
import time
from typing import Any, List, Sequence

from zookeeper.fabric.auth import begins_tls
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    CorruptData,
    DeadlineExceeded,
    DfsError,
    DiskFailed,
    Unavailable,
)
from zookeeper.fabric.stream import DO_NOT_WAIT, Buffer, Stream

_RECORD_BYTES = 1 << 14
"""What TLS encrypts, and decrypts, at once."""

_PIECE_BYTES = 1 << 16
"""About what lies encrypted in memory, on its way in or out. A larger piece would be asked of the
system, and given back to it, for the smallest message: that costs more than all the rest."""

_FAREWELL_SECONDS = 0.2
"""How long a peer may take to hear why its handshake failed."""


class TlsStream(Stream):
    """What was a plain stream, with TLS on it; the plain one must not be used any more."""

    def __init__(self, plain: Stream, context: ssl.SSLContext, **side: Any) -> None:
        """`side`: what `SSLContext.wrap_bio` has to know of this end."""
        super().__init__(plain._socket(), plain.stall_seconds, plain.peer)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, **side)
        self._ahead = b""
        """A byte that was decrypted to see whether there is one: the next to be read."""
        self._parted = False
        """Whether the other side has said goodbye, behind which nothing comes."""

    def shake_hands(self, deadline: float) -> ssl.SSLObject:
        """Agree on keys by `deadline`: what tells about the other side's certificate.

        Closes, and raises AuthenticationFailed, when that does not speak TLS, or is not who it
        should be.
        """
        first = b""
        while True:
            try:
                self._tls.do_handshake()
                self._flush(deadline)
                return self._tls
            except ssl.SSLWantReadError:
                received = self._take_in(deadline)
                first = first or received[:1]
            except ssl.SSLError as error:
                raise self._refused(error, deadline) from None
            if not begins_tls(first):
                raise self._fail(AuthenticationFailed(
                    f"{self.peer} does not speak TLS: set [security] tls alike everywhere"))

    plain = False

    @property
    def holds_bytes(self) -> bool:  # type: ignore[override]
        """See Stream."""
        return bool(self._ahead) or not self._is_drained()

    def poll(self, seconds: float) -> bool:
        """See Stream."""
        deadline = time.monotonic() + seconds
        try:
            while self._sock is not None and not self._ahead:
                if self._is_drained():
                    if not super().poll(deadline - time.monotonic()):
                        return False
                    if not self._receive():
                        return True
                try:
                    self._ahead = self._tls.read(1)
                    self._parted = not self._ahead
                    return True
                except ssl.SSLWantReadError:
                    continue  # It was a part of a record.
        except OSError as error:
            if error.errno is None:
                raise  # Of a signal handler: see `Stream._broken`.
        return True  # It is over: who reads is told how.

    def hung_up(self) -> bool:
        """See Stream."""
        return self.poll(0) and not self._ahead

    def read(self, count: int) -> bytes:
        """See Stream."""
        return self.read_by(count, time.monotonic() + self.stall_seconds)

    def read_between(self, least: int, most: int, deadline: float) -> bytes:
        """See Stream."""
        parts: List[bytes] = []
        if least > 0 and self._ahead:
            parts.append(self._ahead)
            self._ahead = b""
            least, most = least - 1, most - 1
        while least > 0:
            part = self._decrypted(deadline, min(most, _RECORD_BYTES))
            parts.append(part)
            least, most = least - len(part), most - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_some(self, view: memoryview, deadline: float) -> int:
        """See Stream."""
        if not self.poll(deadline - time.monotonic()):
            raise self._fail(DeadlineExceeded(f"{self.peer} did not go on in time"))
        first, self._ahead = self._ahead, b""
        if not first:
            return 0
        view[:1], rest = first, view[1:]
        try:
            return 1 + (int(self._tls.read(len(rest), rest)) if rest else 0)
        except ssl.SSLWantReadError:
            return 1
        except OSError as error:
            raise self._broken(error) from None

    def peek(self, deadline: float) -> bytes:
        """See Stream."""
        self.poll(deadline - time.monotonic())
        return self._ahead

    def read_into(self, view: memoryview) -> None:
        """See Stream."""
        deadline = time.monotonic() + self.stall_seconds
        if view and self._ahead:
            view[:1], self._ahead = self._ahead, b""
            view = view[1:]
        while view:
            view = view[self._decrypted(deadline, len(view), view) :]

    def write_parts(self, *parts: Buffer) -> None:
        """See Stream; as few records as it takes."""
        self.write_by(time.monotonic() + self.stall_seconds, *parts)

    def write_by(self, deadline: float, *parts: Buffer) -> None:
        """See Stream."""
        for part in _in_few_records(parts):
            view = memoryview(part)
            while view:
                self._encrypt(view[:_PIECE_BYTES])
                self._flush(deadline)
                view = view[_PIECE_BYTES:]

    def post(self, *parts: Buffer) -> None:
        """See Stream; all of it is encrypted at once."""
        self._socket()  # Of a closed one nothing is.
        for part in _in_few_records(parts):
            self._encrypt(memoryview(part))
        super().post(self._outgoing.read())

    def send_file(self, descriptor: int, offset: int, count: int) -> None:
        """See Stream; the bytes come by way of this process, which encrypts them."""
        deadline = time.monotonic() + self.stall_seconds
        self._socket()  # Of a closed one not even the file is touched.
        while count:
            try:
                data = os.pread(descriptor, min(count, _PIECE_BYTES), offset)
            except OSError as error:
                raise self._fail(DiskFailed(f"cannot read a file: {error.strerror}")) from None
            if not data:
                raise self._fail(CorruptData("a file ended before its recorded length"))
            self.write_by(deadline, data)
            offset, count = offset + len(data), count - len(data)

    def _decrypted(self, deadline: float, *where: Any) -> Any:
        """What `SSLObject.read` gives for these arguments once there is something."""
        while True:
            if self._is_drained():
                self._take_in(deadline)
            try:
                found = self._tls.read(*where)
            except ssl.SSLWantReadError:
                continue  # It was a part of a record.
            except OSError as error:
                raise self._broken(error) from None
            if not found:
                raise self._gone()
            return found

    def _is_drained(self) -> bool:
        """Whether nothing can be decrypted: to try costs a fifth of a call, for the exception."""
        return not (self._incoming.pending or self._tls.pending() or self._parted)

    def _take_in(self, deadline: float) -> bytes:
        """Encrypted bytes, as they came by `deadline`."""
        # The answer to a request for other keys, for one: it must not pile up here.
        self._flush(deadline)
        if not super().poll(deadline - time.monotonic()):
            raise self._fail(DeadlineExceeded(f"{self.peer} did not answer in time"))
        try:
            data = self._receive()
        except OSError as error:
            raise self._broken(error) from None
        if not data:
            raise self._gone()
        return data

    def _receive(self) -> bytes:
        data: bytes = self._socket().recv(_PIECE_BYTES, DO_NOT_WAIT)
        self._incoming.write(data)
        return data

    def _encrypt(self, data: memoryview) -> None:
        try:
            self._tls.write(data)
        except OSError as error:
            raise self._broken(error) from None

    def _flush(self, deadline: float) -> None:
        if self._outgoing.pending:
            super().write_by(deadline, self._outgoing.read())

    def _refused(self, error: ssl.SSLError, deadline: float) -> DfsError:
        """The handshake failed on our side: let the other one know."""
        try:
            self._flush(deadline)
            self.linger_and_close(_FAREWELL_SECONDS)
        except DfsError:
            pass  # It did not stay to hear it.
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"{self.peer} does not prove who it is: {error.verify_message}"
        else:
            why = f"no TLS with {self.peer}: {_words(error)}"
        return self._fail(AuthenticationFailed(why))

    def _broken(self, error: OSError) -> Exception:
        if not isinstance(error, ssl.SSLError):
            return super()._broken(error)
        words = _words(error)
        if "certificate" in words or "unknown ca" in words:
            # Whose certificate a server does not accept hears it when he reads.
            why = f"{self.peer} does not accept the certificate of this process: {words}"
            return self._fail(AuthenticationFailed(why))
        return self._fail(Unavailable(f"lost the connection to {self.peer}: {words}"))


def _in_few_records(parts: Sequence[Buffer]) -> Sequence[Buffer]:
    return (b"".join(parts),) if sum(map(len, parts)) <= _RECORD_BYTES else parts


def _words(error: ssl.SSLError) -> str:
    return (error.reason or "broken off").lower().replace("_", " ")
