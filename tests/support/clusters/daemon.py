"""One daemon as a real process: started with its documented command, killed, started again."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Union

from tests.support.clusters import nursery
from tests.support.clusters.waiting import PATIENCE_SECONDS

_TAIL_LINES = 40

Process = Union["subprocess.Popen[bytes]", nursery.Born]


class Daemon:
    """A command that prints a `ready …` line once it serves.

    All that it prints goes to `log_path`, over all its lives. Lines are taken from the process as
    it writes them, by a thread, so whoever waits for one is woken by it.
    """

    def __init__(
        self, role: str, command: Sequence[str], log_path: Path, environment: Dict[str, str]
    ) -> None:
        self.role = role
        self.log_path = log_path
        self.command = list(command)
        """What the next life is started with."""
        self.environment = environment
        self._process: Optional[Process] = None
        self._reader: Optional[threading.Thread] = None
        self._changed = threading.Condition()
        self._lines: List[str] = []  # Of this life only.
        self._ended = True  # No more lines will come.

    def __repr__(self) -> str:
        state = f"pid {self.pid}" if self.running else "not running"
        return f"<Daemon {self.role}, {state}>"

    @property
    def running(self) -> bool:
        """Whether the process exists (it may be paused)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of this life, or of the last one."""
        assert self._process is not None, f"{self.role} was never started"
        return self._process.pid

    def start(self) -> None:
        """Start the process; returns at once."""
        assert not self.running, f"{self.role} runs already"
        self._join_reader()
        self._lines, self._ended = [], False
        self._process = self._started()
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def wait_ready(self, timeout: float = PATIENCE_SECONDS) -> str:
        """The `ready …` line of this life."""
        return self._wait_for(lambda line: line.startswith("ready "), "ready", timeout)

    def wait_for_log(self, text: str, timeout: float = PATIENCE_SECONDS) -> str:
        """The first line of this life, printed already or yet to come, that contains `text`."""
        return self._wait_for(lambda line: text in line, text, timeout)

    def kill(self) -> None:
        """SIGKILL, as a power cut of this process; returns when it is gone. Also if paused."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: goes on as if no time had passed."""
        self.send_signal(signal.SIGCONT)

    def terminate(self, timeout: float = PATIENCE_SECONDS) -> int:
        """SIGTERM, the clean stop; the exit status."""
        self.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def send_signal(self, number: int) -> None:
        """Any signal, to a process that must be running."""
        assert self.running, f"{self.role} is not running\n{self.tail()}"
        os.kill(self.pid, number)

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int:
        """The exit status (negative: the signal that ended it), when the process has ended."""
        assert self._process is not None, f"{self.role} was never started"
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            why = f"{self.role} did not end in {timeout:g} s"
            raise AssertionError(f"{why}\n{self.tail()}") from None
        self._join_reader()
        return status

    def leaves_processes(self) -> bool:
        """Whether any process of the group still exists after the daemon has ended."""
        if self._process is None:
            return False
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill_group(self) -> None:
        """End whatever is left, for a teardown that has already failed."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # All gone, which is what was wanted.
        self._process.wait()
        self._join_reader()

    def output(self) -> str:
        """All that this life has printed so far."""
        with self._changed:
            return "\n".join(self._lines)

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The last lines of the log, over all lives, for a failure's message."""
        try:
            text = self.log_path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return f"--- {self.role}: no log ---"
        return "\n".join([f"--- {self.role} ({self.log_path}) ---"] + text.splitlines()[-lines:])

    def _started(self) -> Process:
        folder = self.log_path.parent
        if nursery.can_bear(self.command, self.environment):
            return nursery.the_nursery().bear(self.command, self.environment, folder)
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=folder,
            # Its own process group: what it may leave behind can be found by the group's id.
            start_new_session=True,
        )

    def _read(self, process: Process) -> None:
        assert process.stdout is not None
        with process.stdout, open(self.log_path, "ab", buffering=0) as log:
            log.write(f"--- {self.role} starts, pid {process.pid} ---\n".encode())
            for raw in process.stdout:
                log.write(raw)
                with self._changed:
                    self._lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait_for(self, wanted: Callable[[str], bool], what: str, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    break
                self._changed.wait(left)
        why = "ended" if self._ended else f"was silent for {timeout:g} s"
        raise AssertionError(f"{self.role} {why} before it printed {what!r}\n{self.tail()}")

    def _join_reader(self) -> None:
        if self._reader is not None:
            self._reader.join()
            self._reader = None
