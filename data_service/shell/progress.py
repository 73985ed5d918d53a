"""The progress of one transfer, on a terminal: bytes, rate, time left."""

import os
import time
from typing import Callable, TextIO

from data_service.protocol.sizes import scaled
from data_service.protocol.visible import visible
from data_service.shell.streams import CLEAR_LINE

QUIET_SECONDS = 0.5
"""A transfer that is over by then shows nothing."""

REDRAW_SECONDS = 0.1
WIDTH = 20
COLUMNS, LABEL_MIN = 80, 8


class ProgressBar:
    """Call it with (bytes done, bytes in all); 0 in all when that is not known."""

    def __init__(
        self, label: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label = visible(label)
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._next = self._start + QUIET_SECONDS
        self._drawn = False
        self._count = 1

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + REDRAW_SECONDS
            line = progress_line(self._label, done, total, now - self._start)
            self._draw(cut(line, len(self._label), terminal_width(self._stream)))

    def go_on(self, label: str) -> None:
        """A further transfer of the same command; the bar stays, so that many small ones show."""
        self._count += 1
        self._label = f"({self._count}) {visible(label)}"
        self._start = self._clock()

    def clear(self) -> None:
        """Leave an empty line, for others to write on."""
        if self._drawn:
            self._drawn = False
            self._write(CLEAR_LINE)

    def _draw(self, line: str) -> None:
        self._drawn = True
        self._write(CLEAR_LINE + line)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # The terminal went away; the transfer goes on.


def progress_line(label: str, done: int, total: int, seconds: float) -> str:
    """What the bar looks like after some seconds."""
    rate = int(done / seconds) if seconds > 0 else 0
    speed = f"{scaled(rate, 'B')}/s"
    if not total:
        return f"{label}  {scaled(done, 'B')}  {speed}"
    share = min(1.0, done / total)
    bar = ("#" * int(share * WIDTH)).ljust(WIDTH, ".")
    left = clock_time((total - done) / rate) if rate else "--:--"
    return (
        f"{label}  {int(share * 100):3d}% [{bar}] "
        f"{scaled(done, 'B')} of {scaled(total, 'B')}  {speed}  {left} left"
    )


def terminal_width(stream: TextIO) -> int:
    """The columns of a terminal; 80 when it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except (OSError, ValueError):
        return COLUMNS


def cut(line: str, label: int, columns: int) -> str:
    """A line that begins with a label of so many characters, made to fit.

    It is the label that gives way first: a line that wraps is not cleared by the next one.
    """
    surplus = len(line) - (columns - 1)
    if surplus <= 0:
        return line
    kept = label - surplus - 1
    if kept >= LABEL_MIN:
        return f"…{line[label - kept:]}"
    return line[: max(0, columns - 1)]


def clock_time(seconds: float) -> str:
    """A duration as `1:02:03` or `02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
