"""SIGTERM and SIGHUP end a command as Ctrl+C does: nothing half done stays behind.

By default they end a process where it stands: a file that it was writing keeps others out until
its lease is over, and the temporary file of a download stays for good.
"""

import os
import select
import signal
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 10.0
"""How long what is left is tidied up before the same may be asked again: `timeout` and a terminal
that closes send a signal twice."""


_bells: List[int] = []
"""The pipe that a signal writes to, of the call of the main thread that heeds signals."""


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
    near, far = os.pipe()
    os.set_blocking(near, False)
    os.set_blocking(far, False)
    woken = None
    try:
        try:
            woken = signal.set_wakeup_fd(far, warn_on_full_buffer=False)
            _bells.append(near)
            for number in SIGNALS:
                if signal.getsignal(number) == signal.SIG_DFL:
                    former[number] = signal.signal(number, heed)
        except ValueError:
            pass  # Only the main thread may ask for signals; whoever has it has its own way.
        yield
    finally:
        for ended, handler in former.items():
            signal.signal(ended, handler)
        if woken is not None:
            signal.set_wakeup_fd(woken)
            _bells.remove(near)
        os.close(near)
        os.close(far)


def wait_for(descriptor: int) -> None:
    """Wait until something can be read; a signal is heard at once, whenever it comes.

    One that comes right before a read begins, or to another thread, does not end that read: until
    there is input, Python would not look for it.
    """
    bell = _bells[-1] if _bells else None
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    if bell is not None:
        watch.register(bell, select.POLLIN)
    while True:
        ready = [number for number, _ in watch.poll()]
        if bell is not None and bell in ready:
            # Between this and the next wait Python runs the handler, which may raise.
            os.read(bell, 4096)
        if descriptor in ready:
            return


class _Handler:
    """Raises Terminated, but not while the first one is being answered."""

    def __init__(self) -> None:
        self._deaf_until = float("-inf")

    def __call__(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if now >= self._deaf_until:
            self._deaf_until = now + GRACE_SECONDS
            raise Terminated(number)
