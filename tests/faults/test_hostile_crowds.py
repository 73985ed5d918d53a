"""Very many clients, and very little to serve them with: a server in a process of its own."""

import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from rpyc.core import consts

from tests.support.clusters.cluster import ROOT
from tests.support.links.loopback import ROLE, RawClient
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, NetworkSettings

CHILD = """
import resource, sys, threading
sys.path[0] = {root!r}
from tests.support.links.loopback import Loopback
with Loopback(**{limits!r}) as loopback:
    {prelude}
    print(loopback.address.port, flush=True)
    sys.stdin.read()
"""


class Child:
    """A server in another process; it ends well only if nothing leaked in there."""

    def __init__(self, folder: Path, limits: Dict[str, Any], prelude: str = "") -> None:
        self._log = folder / "child.log"
        text = CHILD.format(root=str(ROOT), limits=limits, prelude=prelude or "pass")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", text],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self._log.read_text()
        self.address = Address("127.0.0.1", int(line))
        self._raws: List[RawClient] = []

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        for raw in self._raws:
            raw.close()
        self.process.stdin.close()
        try:
            status = self.process.wait(2 * PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process.stdout.close()
        assert kind is not None or status == 0, self._log.read_text()[-5000:]

    def raw(self) -> RawClient:
        """A connection by raw bytes, closed at the end."""
        self._raws.append(RawClient(self.address))
        return self._raws[-1]

    def serves(self) -> bool:
        """Whether an honest client gets its answer; it may dial again, as honest clients do."""
        try:
            credentials = Credentials(Principal("user", "honest"))
            remote = Remote.connect(ROLE, self.address, credentials, NetworkSettings())
        except Unavailable:
            return False
        try:
            return bool(remote.call("echo", 7, timeout=PATIENCE_SECONDS) == 7)
        except DfsError:
            return False
        finally:
            remote.close()

    def megabytes(self, field: str = "VmHWM") -> float:
        """The most memory that it ever had, or a field of its status by name."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith(field)]
        return int(line.split()[1]) / 1024

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._log.read_text()


def test_it_survives_having_no_descriptors(tmp_path: Path) -> None:
    """Stock ThreadedServer ends, with exit status 0, at the first EMFILE."""
    prelude = "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"
    with Child(tmp_path, {}, prelude) as child:
        for _ in range(120):
            child.raw()
        wait_until(lambda: "Too many open files" in child.log(), what="EMFILE")
        for _ in range(5):
            wait_until(child.serves, what="an honest client")


def test_it_survives_having_no_threads(tmp_path: Path) -> None:
    """Stock ThreadedServer ends at the first `can't start new thread`."""
    # Stacks are large and the address space is small: a dozen threads fit.
    prelude = (
        "threading.stack_size(64 << 20); "
        "used = 4096 * int(open('/proc/self/statm').read().split()[0]); "
        "resource.setrlimit(resource.RLIMIT_AS, (used + (800 << 20),) * 2)"
    )
    with Child(tmp_path, {}, prelude) as child:
        for _ in range(60):
            child.raw()
        wait_until(lambda: "new thread" in child.log(), what="a thread that cannot start")
        for _ in range(5):
            wait_until(child.serves, what="an honest client")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """As many connections as the attack needs, also where the usual limit is low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_silent_and_half_silent_clients_lock_nobody_out(tmp_path: Path) -> None:
    half_frame = struct.pack("!LB", 16 << 20, 0) + bytes(100_000)
    with Child(tmp_path, {"max_frame_bytes": 16 << 20}) as child:
        assert child.serves()
        before = child.megabytes()
        for number in range(1250):
            raw = child.raw()
            if number % 25 == 0:
                raw.send(half_frame)
                wait_until(child.serves, what="an honest client")
            elif number % 6 == 0:
                raw.send(b"PyHDFS\x00\x01")
        for _ in range(10):
            wait_until(child.serves, what="an honest client")
        assert child.megabytes() - before < 200
        assert child.megabytes("Threads") * 1024 <= 520
        assert len(child.log()) < 100_000


def test_no_few_bytes_make_it_take_much_memory(tmp_path: Path) -> None:
    with Child(tmp_path, {"max_frame_bytes": 16 << 20}) as child:
        assert child.serves()
        before = child.megabytes()
        bomb = b"\x01\x11\x51" + b"\x15\x00\xff\xff\xff" + b"\x10\x00" * 7_000_000
        for attack in (
            lambda raw: raw.send(struct.pack("!LB", 2**32 - 1, 0) + bytes(1 << 20)),
            lambda raw: raw.frame(zlib.compress(bytes(1 << 28), 9)[: (16 << 20) - 1], 1),
            lambda raw: raw.frame(bomb),
            lambda raw: raw.request(
                consts.HANDLE_CALLATTR, (consts.LABEL_VALUE, (b"x", "__mul__", (1 << 30,)))
            ),
        ):
            raw = child.raw()
            attack(raw)
            raw.hang_up()
            raw.await_end()
            assert child.serves()
        assert child.megabytes() - before < 150
