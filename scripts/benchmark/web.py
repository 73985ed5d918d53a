"""What the gateway costs: WebHDFS beside the library, on the same cluster in the same rounds."""

import filecmp
import getpass
import json
import os
import subprocess
import time
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import BinaryIO, Callable, List, Optional, Type, Union

from scripts.benchmark.measures import MANY, SMALL_FILE_BYTES, Bench, make_source
from scripts.benchmark.results import Goal
from scripts.benchmark.trial import MIB
from zookeeper.fabric.meter import Meter

ROOT = Path(__file__).resolve().parents[2]

PIECE_BYTES = 1 << 18
SECONDS_MAX = 60.0
ENTRIES = 1000
"""Of the directory that is listed."""

REPLICATIONS = (1, 3)
STATS_PER_NAME, LISTINGS = 5, 20
COUNTED = 200_000
"""Calls that are counted, to see what that costs."""

STAT_GOAL = Goal(1000)
TRANSFER_GOAL = Goal(0.6)


class Gateway:
    """A gateway to the cluster of a bench, for `with`."""

    def __init__(self, bench: Bench) -> None:
        config = bench.folder / "web.ini"
        self.host, self.port = bench.cluster.free_address()
        own = f"[web]\nweb_hosts = {self.host}:{self.port}\n"
        config.write_text(bench.cluster.config.read_text("utf-8") + own, "utf-8")
        launcher = str(ROOT / "data_service" / "web_gateway.py")
        self._command = [bench.python, launcher, "--config", str(config), "--log-level", "WARNING"]

    def __enter__(self) -> "Gateway":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline().startswith(b"ready "):
            raise RuntimeError("the gateway does not serve")
        return self

    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def visitor(self) -> "Visitor":
        """Somebody with a connection of his own."""
        return Visitor(HTTPConnection(self.host, self.port, SECONDS_MAX, blocksize=PIECE_BYTES))


class Visitor:
    """Asks one thing after the other, over a connection that is kept."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._user = getpass.getuser()

    def ask(
        self,
        method: str,
        path: str,
        op: str,
        status: int = 200,
        body: Union[bytes, BinaryIO] = b"",
    ) -> bytes:
        """The body of the answer, which must have this status."""
        response = self._asked(method, path, op, status, body)
        return bytes(response.read())

    def fetch(self, path: str, local: Path) -> None:
        """The bytes of a file into a local one."""
        response = self._asked("GET", path, "OPEN&data=true", 200, b"")
        buffer = memoryview(bytearray(PIECE_BYTES))
        with local.open("wb", buffering=0) as file:
            while True:
                count = response.readinto(buffer)
                if not count:
                    return
                file.write(buffer[:count])

    def scrape(self) -> bytes:
        """The figures of all daemons, as a collector gets them."""
        self._connection.request("GET", "/metrics")
        response = self._connection.getresponse()
        return bytes(response.read())

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _asked(
        self, method: str, path: str, op: str, status: int, body: Union[bytes, BinaryIO]
    ) -> HTTPResponse:
        target = f"/webhdfs/v1{path}?op={op}&user.name={self._user}"
        self._connection.request(method, target, body)
        response = self._connection.getresponse()
        if response.status != status:
            raise RuntimeError(f"{op} of {path}: {response.status} {response.read()!r}")
        return response


def web(bench: Bench) -> None:
    """Names and small files by one client and by several; a large file up and down."""
    make_source(bench)
    with Gateway(bench) as gateway:
        for _ in range(bench.scale.repeat):
            _names(bench, gateway)
            for replication in REPLICATIONS:
                _large(bench, gateway, replication)
            _figures(bench, gateway)
    bench.source.unlink()


def _names(bench: Bench, gateway: Gateway) -> None:
    group, count = "the gateway: requests", bench.scale.names
    data = os.urandom(SMALL_FILE_BYTES)
    bench.client.do("make_folder", path="/web")
    for clients, who in ((1, "1 client"), (MANY, f"{MANY} clients")):

        def rate(times: int, deed: Callable[[Visitor, str], object]) -> float:
            return times / _seconds(gateway, clients, times, deed)

        def create(one: Visitor, name: str) -> None:
            path = f"/web/{clients}-{name}"
            one.ask("PUT", path, "CREATE&data=true&overwrite=true", 201, data)

        stats = rate(count * STATS_PER_NAME, lambda one, _: one.ask("GET", "/", "GETFILESTATUS"))
        goal = STAT_GOAL if clients > 1 else None
        bench.add(group, f"GETFILESTATUS, {who}", stats, "a second", goal)
        made = rate(bench.scale.files, create)
        bench.add(group, f"CREATE of {SMALL_FILE_BYTES:,} bytes, {who}", made, "a second")
        _fill(gateway)
        lists = rate(LISTINGS, _list)
        bench.add(group, f"LISTSTATUS of {ENTRIES:,}, {who}", lists * ENTRIES, "entries/s")
    bench.remove("/web")


def _figures(bench: Bench, gateway: Gateway) -> None:
    """What it costs to count, of each call, and to be told."""
    group, meter, visitor = "figures", Meter(), gateway.visitor()
    started = time.process_time()
    for _ in range(COUNTED):
        meter.note("stat", 0.0003, failed=False)
        meter.carry(100, 100)
    spent = time.process_time() - started
    bench.add(group, "a call is counted: processor time", 1e9 * spent / COUNTED, "ns")
    for name in ("scrape of all daemons", "another scrape at once"):
        started = time.perf_counter()
        if b"pyhdfs_up" not in visitor.scrape():
            raise RuntimeError("there are no figures")
        bench.add(group, name, 1000 * (time.perf_counter() - started), "ms")
    visitor.close()


def _fill(gateway: Gateway) -> None:
    _seconds(gateway, MANY, ENTRIES, lambda one, name: one.ask("PUT", f"/web/d/{name}", "MKDIRS"))


def _list(one: Visitor, _name: str) -> None:
    answer = one.ask("GET", "/web/d", "LISTSTATUS")
    if len(json.loads(answer)["FileStatuses"]["FileStatus"]) != ENTRIES:
        raise RuntimeError("the listing is not whole")


def _seconds(
    gateway: Gateway, clients: int, times: int, deed: Callable[[Visitor, str], object]
) -> float:
    """How long so many clients take to do it so many times in all, each time with another name."""
    failures: List[BaseException] = []

    def work(first: int) -> None:
        visitor = gateway.visitor()
        try:
            for number in range(first, times, clients):
                deed(visitor, f"{number:06d}")
        except Exception as error:  # Told by who waits for all of them.
            failures.append(error)
            raise
        finally:
            visitor.close()

    threads = [Thread(target=work, args=(first,), daemon=True) for first in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - started


def _large(bench: Bench, gateway: Gateway, replication: int) -> None:
    size, copy, visitor = bench.scale.size, bench.folder / "copy", gateway.visitor()
    group = f"the gateway: a file of {size / MIB:,g} MiB, replication {replication}"
    source = str(bench.source)

    def add(name: str, seconds: float, floor: str = "") -> None:
        goal = TRANSFER_GOAL if floor else None
        bench.add(group, name, size / seconds / 1e6, "MB/s", goal, floor)

    put, get = "floor: put by the library", "floor: get by the library"
    add(put, bench.client.do("put", local=source, path="/web", replication=replication))
    bench.remove("/web")
    written = bench.client.do("write", local=source, path="/web", replication=replication)
    add("written by a program", written, put)
    bench.remove("/web")
    started = time.perf_counter()
    with bench.source.open("rb") as file:
        visitor.ask("PUT", "/web", f"CREATE&data=true&replication={replication}", 201, file)
    add("up", time.perf_counter() - started, put)
    add(get, bench.client.do("get", path="/web", local=str(copy)))
    copy.unlink()
    started = time.perf_counter()
    visitor.fetch("/web", copy)
    add("down", time.perf_counter() - started, get)
    if not filecmp.cmp(bench.source, copy, shallow=False):
        raise RuntimeError("what came back is not what was put")
    copy.unlink()
    visitor.close()
    bench.remove("/web")
