"""SIGTERM and SIGHUP end a command as Ctrl+C does: nothing half done stays behind.

By default they end a process where it stands: a file that it was writing keeps others out until
its lease is over, and the temporary file of a download stays for good.
"""

import signal
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 10.0
"""How long what is left is tidied up before the same may be asked again: `timeout` and a terminal
that closes send a signal twice."""


class Terminated(KeyboardInterrupt):
    """A signal wants the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.strsignal(number) or f"Signal {number}")
        self.status = 128 + number
        """The exit status that a shell shows of a process that such a signal ended."""


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Within the block the signals raise Terminated in the main thread.

    A signal that is ignored (as under `nohup`) or has a handler stays so, and another thread than
    the main one changes nothing.
    """
    former: Dict[int, Any] = {}
    heed = _Handler()
    try:
        for number in SIGNALS:
            if signal.getsignal(number) == signal.SIG_DFL:
                former[number] = signal.signal(number, heed)
    except ValueError:
        pass  # Only the main thread may ask for signals; whoever has it has its own way.
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Handler:
    """Raises Terminated, but not while the first one is being answered."""

    def __init__(self) -> None:
        self._deaf_until = float("-inf")

    def __call__(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if now >= self._deaf_until:
            self._deaf_until = now + GRACE_SECONDS
            raise Terminated(number)
