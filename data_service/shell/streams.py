"""Standard output and standard error, as they are when a command runs.

Bytes go past Python's own buffers: what could not be written (a pipe that nobody reads, a full
disk) must fail here, in the command, and not again when the interpreter ends.
"""

import codecs
import errno
import io
import os
import select
import sys
import time
from typing import Any, Iterator, List, Union

from data_service.protocol.visible import visible
from data_service.shell.endings import wait_for
from zookeeper.fabric.errors import LocalFileError

BUFFER_BYTES = 65536
CLEAR_LINE = "\r\033[K"
"""What empties the line of a terminal."""

STANDARD_INPUT = "-"
"""What stands for it among the arguments of a command that stores something."""

INPUT_CHUNK_BYTES = 1 << 20

Bytes = Union[bytes, memoryview]


class OutputFailed(LocalFileError):
    """Standard output takes nothing more; a command ends at once."""


class OutputClosed(OutputFailed):
    """Nobody reads standard output any more, as after `| head`: no fault, but the end."""


class Output:
    """Lines and bytes to `sys.stdout` of this moment, gathered into large writes."""

    def __init__(self) -> None:
        self._text = sys.stdout
        self._binary: Any = getattr(self._text, "buffer", None)
        # With PYTHONUNBUFFERED there is no buffer: the raw stream stands in its place.
        is_raw = isinstance(self._binary, io.RawIOBase)
        self._raw: Any = self._binary if is_raw else getattr(self._binary, "raw", None)
        self._pending: List[bytes] = []
        self._size = 0
        # For a stream of text alone, such as StringIO: a piece may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        if self._text is not None:
            self._text.flush()

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads it."""
        return self._text is not None and self._text.isatty()

    def line(self, text: str = "") -> None:
        """A line of text; on a terminal nothing in it is more than text, tabs excepted."""
        self.write(to_bytes(self.shown(text) + "\n"))

    def text(self, text: str) -> None:
        """Text as it is, which holds nothing that a terminal would heed: so does JSON."""
        self.write(to_bytes(text))

    def shown(self, text: str) -> str:
        """The text as it may be written here: as it is for a program, visible on a terminal."""
        return "\t".join(map(visible, text.split("\t"))) if self.is_terminal else text

    def write(self, data: Bytes) -> None:
        """Bytes, whatever they are; a memoryview may be reused afterwards."""
        if len(data) >= BUFFER_BYTES:
            self.flush()
            self._deliver(data)
            return
        self._pending.append(bytes(data))
        self._size += len(data)
        if self._size >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered; raises OutputFailed, and forgets it then."""
        pending, self._pending, self._size = self._pending, [], 0
        if pending:
            self._deliver(b"".join(pending))

    def finish(self) -> None:
        """Write all that is left, at the end of a command; raises OutputFailed."""
        self.flush()
        if self._text is not None and self._binary is None:
            self._text.write(self._decoder.decode(b"", final=True))

    def wait_while_read(self, seconds: float) -> None:
        """Write what has gathered, and wait; raises OutputClosed as soon as nobody reads it.

        To find out by writing alone may take for ever: there may never be anything to write.
        """
        self.flush()
        if self._raw is None:
            time.sleep(seconds)
            return
        watch = select.poll()
        watch.register(self._raw.fileno(), 0)
        if watch.poll(seconds * 1000):
            raise OutputClosed("standard output: nobody reads it")

    def discard(self) -> None:
        """Forget what has gathered."""
        self._pending, self._size = [], 0

    def _deliver(self, data: Bytes) -> None:
        try:
            if self._text is None:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if self._raw is not None:
                self._deliver_raw(memoryview(data))
            elif self._binary is not None:
                self._binary.write(data)
                self._binary.flush()
            else:
                self._text.write(self._decoder.decode(data))
        except BrokenPipeError as error:
            raise OutputClosed("standard output: nobody reads it") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise OutputFailed(f"standard output: {reason}") from error

    def _deliver_raw(self, view: memoryview) -> None:
        while view:
            written = self._raw.write(view)
            if written is None:
                # Somebody made the pipe or terminal non-blocking: wait for room in it.
                select.select([], [self._raw], [])
                continue
            view = view[written:]


def to_bytes(text: str) -> bytes:
    """Text in UTF-8; the name of a local file that is no UTF-8 comes out as it went in."""
    return text.encode("utf-8", "surrogateescape")


def complain(line: str) -> None:
    """A line on `sys.stderr` of this moment, in the place of a progress bar that stands there.

    Nobody hears of it when standard error is closed.
    """
    stream = sys.stderr
    if stream is None:
        return
    try:
        start = CLEAR_LINE if stream.isatty() else ""
        # What a line holds may come from a name, so nothing but its breaks may move the cursor.
        shown = "\n".join("\t".join(map(visible, one.split("\t"))) for one in line.split("\n"))
        stream.write(start + shown + "\n")
        stream.flush()
    except (OSError, ValueError):
        pass  # There is no other place to say it.


class Input:
    """The bytes of `sys.stdin` of this moment; raises LocalFileError when that is closed.

    Each read is one read of the system. A buffered one is several of them in a row, among which
    Ctrl+C would go unnoticed until more input comes.
    """

    def __init__(self) -> None:
        if sys.stdin is None:
            # It is no empty file: what is there must not be replaced by nothing.
            raise LocalFileError(f"standard input: {os.strerror(errno.EBADF)}")
        self._binary: Any = getattr(sys.stdin, "buffer", None)
        if self._binary is None:
            self._binary = io.BytesIO(to_bytes(sys.stdin.read()))
        raw = getattr(self._binary, "raw", None)
        self._descriptor = raw.fileno() if isinstance(raw, io.FileIO) else None

    def chunks(self) -> Iterator[bytes]:
        """All that comes, as it comes."""
        return iter(lambda: self.read(INPUT_CHUNK_BYTES), b"")

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end, for which a pipe that does not block is awaited."""
        try:
            if self._descriptor is not None:
                wait_for(self._descriptor)
            data = bytes(self._binary.read1(size))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise LocalFileError(f"standard input: {reason}") from error
        raw = getattr(self._binary, "raw", None)
        if data or not isinstance(raw, io.FileIO) or os.get_blocking(raw.fileno()):
            return data
        # Of a pipe that does not block, read1 says the same of its end and of nothing for now.
        from data_service.filesystem.local_streams import await_input

        while True:
            more = raw.read(size)
            if more is not None:
                return more
            await_input(raw)
