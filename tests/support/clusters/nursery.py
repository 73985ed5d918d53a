"""Daemons and commands born of a process that has imported everything; see `nurse.py`.

What is born is a process as any other: of its own session, with the environment, streams and
arguments that it is given, killed and waited for by its id. Only whose child it is differs.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Dict, List, Optional, Sequence

from tests.support.clusters import nurse

_ROOT = Path(__file__).resolve().parents[3]
_LAUNCHERS = {
    str(_ROOT / name)
    for name in ("zookeeper/zk.py", "metadata_service/metadata.py", "data_service/name_node.py",
                 "data_service/data_node.py", "data_service/web_gateway.py",
                 "data_service/client.py")
}  # fmt: skip
_BIRTH_SECONDS = 60.0


class Born:
    """A process of the nursery, with what a Popen offers of it."""

    def __init__(self, pid: int, output: BinaryIO) -> None:
        self.pid = pid
        self.stdout = output
        self.status: Optional[int] = None
        self.ended = threading.Event()

    def poll(self) -> Optional[int]:
        """Its exit status; None as long as it lives."""
        return self.status

    def wait(self, timeout: Optional[float] = None) -> int:
        """The same, when it has ended. Raises subprocess.TimeoutExpired."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        assert self.status is not None
        return self.status


class Nursery:
    """This process's; its nurse ends with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._births: List[int] = []
        self._changed = threading.Condition()
        self._ends: Dict[int, int] = {}
        self._living: Dict[int, Born] = {}
        with theirs:
            command = [sys.executable, "-m", nurse.__name__, str(theirs.fileno())]
            self._nurse = subprocess.Popen(
                command,
                cwd=_ROOT,
                # Whose streams are terminals would buffer otherwise.
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()

    def bear(
        self,
        command: Sequence[str],
        environment: Dict[str, str],
        folder: Path,
        given: Optional[int] = None,
        errors: Optional[int] = None,
    ) -> Born:
        """A process of this command, whose output is read from its `stdout`.

        It reads what is `given`, a descriptor, else nothing; its `errors` go there, or with its
        output.
        """
        order = {"command": list(command), "environment": environment, "folder": str(folder)}
        data = json.dumps(order).encode("utf-8")
        assert len(data) <= nurse.ORDER_BYTES_MAX
        output, theirs = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        with self._lock:
            try:
                streams = [
                    nothing if given is None else given,
                    theirs,
                    theirs if errors is None else errors,
                ]
                socket.send_fds(self._socket, [data], streams)
            finally:
                os.close(nothing)
                os.close(theirs)
            with self._changed:
                assert self._changed.wait_for(lambda: self._births, _BIRTH_SECONDS), self
                born = Born(self._births.pop(), os.fdopen(output, "rb"))
                self._living[born.pid] = born
                self._end_who_ended()
        return born

    def _listen(self) -> None:
        while True:
            data = self._socket.recv(nurse.ORDER_BYTES_MAX)
            if not data:
                return
            word = json.loads(data)
            with self._changed:
                if "born" in word:
                    self._births.append(word["born"])
                else:
                    self._ends[word["ended"]] = word["status"]
                    self._end_who_ended()
                self._changed.notify_all()

    def _end_who_ended(self) -> None:
        for pid in self._ends.keys() & self._living.keys():
            born = self._living.pop(pid)
            born.status = self._ends.pop(pid)
            born.ended.set()

    def __repr__(self) -> str:
        return f"<Nursery, nurse {self._nurse.pid}, exit status {self._nurse.poll()}>"


_nurseries: List[Nursery] = []


def can_bear(command: Sequence[str], environment: Dict[str, str]) -> bool:
    """Whether a process of it would be the same: it is a program of ours, of this interpreter,
    whose environment changes nothing that is settled before the first import."""
    ours = command[0] == sys.executable and command[1] in _LAUNCHERS
    early = {
        name
        for name in itertools.chain(environment, os.environ)
        if name.startswith(("PYTHON", "LD_", "LC_", "LANG", "OPENSSL"))
    }
    same = all(environment.get(name) == os.environ.get(name) for name in early)
    return ours and same and sys.platform == "linux"


def the_nursery() -> Nursery:
    """This process's, which begins when it is first wanted."""
    if not _nurseries:
        _nurseries.append(Nursery())
    return _nurseries[0]


def run(
    command: Sequence[str],
    environment: Dict[str, str],
    folder: Path,
    given: Optional[bytes],
    timeout: float,
) -> "subprocess.CompletedProcess[bytes]":
    """A command to its end, as subprocess.run with pipes; it can read what is `given`, or nothing.

    Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryFile() as errors:
        with open(os.devnull, "rb") if given is None else _fed(given) as source:
            born = the_nursery().bear(
                command, environment, folder, source.fileno(), errors.fileno()
            )
        clock = threading.Timer(timeout, os.kill, (born.pid, signal.SIGKILL))
        clock.start()
        with born.stdout:
            output = born.stdout.read()
        status = born.wait(timeout)
        if not clock.is_alive():
            raise subprocess.TimeoutExpired(command, timeout)
        clock.cancel()
        errors.seek(0)
        return subprocess.CompletedProcess(command, status, output, errors.read())


def _fed(data: bytes) -> BinaryIO:
    """The end of a pipe at which the data can be read."""
    reading, writing = os.pipe()
    threading.Thread(target=_feed, args=(writing, data), daemon=True).start()
    return os.fdopen(reading, "rb", 0)


def _feed(descriptor: int, data: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)  # A command may end without reading all.
