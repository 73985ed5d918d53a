"""A person at a terminal: types into a program, and reads what is on the screen."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import List, Mapping, Optional, Type

from tests.support.clusters.waiting import PATIENCE_SECONDS

TAB, UP, ENTER, END = "\t", "\x1b[A", "\r", "\x04"


def _sit_down() -> None:
    """Make the terminal that of this process, so that a Ctrl-C reaches it.

    Tests that run in the background of a script are started with Ctrl-C ignored; nobody who sits
    at a terminal is.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Typist:
    """Runs a command at a terminal of its own; use it in a `with`."""

    def __init__(self, command: List[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._near, far = pty.openpty()
        # No bells, colours or marks around what is pasted: only what the program says.
        plain = {"TERM": "dumb", "INPUTRC": os.devnull, "COLUMNS": "200"}
        self._program = subprocess.Popen(
            command, stdin=far, stdout=far, stderr=far, cwd=folder, close_fds=True,
            env={**environment, **plain}, start_new_session=True,
            preexec_fn=_sit_down,
        )  # fmt: skip
        os.close(far)
        self.screen = ""

    def __enter__(self) -> "Typist":
        return self

    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _traceback: Optional[TracebackType],
    ) -> None:
        if self._program.poll() is None:
            self._program.kill()
            self._program.wait()
        os.close(self._near)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._near, text.encode("utf-8"))

    def read_until(self, text: str) -> str:
        """What the screen shows up to `text`, since this was last asked."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.screen:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._near], [], [], max(0.0, left))
            assert ready, f"{text!r} did not appear in {self.screen!r}"
            assert self._read(), f"the program ended: {self.screen!r}"
        seen, _, self.screen = self.screen.partition(text)
        return seen

    def wait(self) -> int:
        """The program's exit status; it must be about to end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._program.poll() is None:
            assert time.monotonic() < deadline, f"still running: {self.screen!r}"
            if select.select([self._near], [], [], 0.05)[0]:
                self._read()
        return self._program.returncode

    def _read(self) -> bool:
        """Take what there is; False when nobody has the other end any more."""
        try:
            data = os.read(self._near, 4096)
        except OSError:
            data = b""  # How Linux says so.
        self.screen += data.decode("utf-8", "replace")
        return data != b""
