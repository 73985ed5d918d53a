"""A cluster of its own for the benchmark: real daemons, free ports, everything in one folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Dict, List, Optional, Sequence, Tuple, Type

from scripts.benchmark.secured import SIMPLE, secured
from scripts.supervision.daemons import Record, run_folder
from zookeeper.fabric.settings import load

ROOT = Path(__file__).resolve().parents[2]

DATA_NODES = 3
PAUSE_SECONDS = 0.05
GONE_SECONDS = 120.0
MIB = 1024 * 1024

DEAD_SECONDS = 5
"""Of a hasty namenode."""

_HOST = "127.0.0.1"


class TrialCluster:
    """Started by `scripts/cluster.py` with the defaults that everybody gets; stopped by `close`.

    Without `roles` all daemons are started. A `hasty` namenode waits for no replicas when it
    starts, and counts a silent datanode as dead within seconds. With `distant_config` a client
    reads as one on another machine does. `security` is one of MODES.
    """

    def __init__(
        self,
        python: str,
        folder: Path,
        data_nodes: int = DATA_NODES,
        roles: Sequence[str] = (),
        hasty: bool = False,
        security: str = SIMPLE,
        name_nodes: int = 1,
        members: int = 1,
        zookeepers: int = 1,
    ) -> None:
        self._python = python
        self._counts = (name_nodes, members, zookeepers)
        self._data_nodes = data_nodes
        self._roles = roles
        self._hasty = hasty
        self._ports: List[socket.socket] = []
        self._data = folder / "data"
        self._security = security
        self.config = folder / "config.ini"
        self.config.write_text(self._configuration(), "utf-8")
        self.distant_config = folder / "distant.ini"
        distant = "[client]\nshort_circuit = no\n"
        self.distant_config.write_text(self.config.read_text("utf-8") + distant, "utf-8")

    def __enter__(self) -> "TrialCluster":
        try:
            self._cluster("start", *self._roles)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is not None and issubclass(kind, Exception):
            self._cluster("logs")
        self.close()

    def close(self) -> None:
        """Stop every daemon."""
        try:
            self._cluster("stop")
        finally:
            for port in self._ports:
                port.close()

    def free_address(self) -> Tuple[str, int]:
        """Where one more daemon can listen."""
        return _HOST, self._port()

    def memory(self) -> Dict[str, Tuple[float, float]]:
        """Role -> MiB of memory that each daemon has now, and had at its peak."""
        return {role: memory_of(pid) for role, pid in self.pids().items()}

    def pids(self) -> Dict[str, int]:
        """Role -> number of each daemon's process."""
        paths = sorted(run_folder(load(str(self.config))).glob("*.pid"))
        return {path.stem: Record(*json.loads(path.read_text("utf-8"))).pid for path in paths}

    def start(self, role: str) -> None:
        """Start a daemon that is down."""
        self._cluster("start", role)

    def kill(self, role: str) -> None:
        """kill -9 of one daemon."""
        os.kill(self.pids()[role], signal.SIGKILL)

    def await_empty(self) -> None:
        """Wait until what was deleted is gone from every disk, and the disk knows it.

        Else the next measure would pay for it.
        """
        deadline = time.monotonic() + GONE_SECONDS
        while any(self._data.glob("data_node_*/**/blk_*")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"deleted blocks are still there after {GONE_SECONDS:g} s")
            time.sleep(PAUSE_SECONDS)
        os.sync()

    def _cluster(self, action: str, *roles: str) -> None:
        command = [self._python, str(ROOT / "scripts" / "cluster.py"), action, *roles]
        command += ["--config", str(self.config)]
        # Ctrl-C is for us: interrupted half-way it would leave daemons that nobody has on record.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
        )
        try:
            failed = process.wait()
        finally:
            process.wait()
        if failed:
            raise RuntimeError(f"scripts/cluster.py {action} failed")

    def _configuration(self) -> str:
        data_nodes = [self._port() for _ in range(self._data_nodes)]
        name_nodes, members, zookeepers = [
            ", ".join(f"{_HOST}:{self._port()}" for _ in range(count)) for count in self._counts
        ]
        lines = ["[name_node]", f"name_node_hosts = {name_nodes}"]
        lines += [f"name_node_dir = {self._data}/name_node"]
        if self._hasty:
            lines += ["safe_mode_threshold = 0", f"dead_seconds = {DEAD_SECONDS}"]
        lines += ["[metadata]", f"metadata_hosts = {members}"]
        lines += [f"metadata_dir = {self._data}/metadata"]
        lines += ["[zookeeper]", f"zookeeper_hosts = {zookeepers}"]
        lines += [f"zookeeper_dir = {self._data}/zookeeper"]
        lines += ["[data_node]"]
        lines += ["data_node_hosts = " + ", ".join(f"{_HOST}:{port}" for port in data_nodes)]
        lines += [f"data_node_dir_{port} = {self._data}/data_node_{port}" for port in data_nodes]
        return "\n".join(lines + secured(self._data, self._security, _HOST)) + "\n"

    def _port(self) -> int:
        """A free port. It stays bound, so that nobody else gets it before its daemon listens."""
        reservation = socket.socket()
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind((_HOST, 0))
        self._ports.append(reservation)
        return int(reservation.getsockname()[1])


def memory_of(pid: int) -> Tuple[float, float]:
    """MiB of memory that a process has now, and had at its peak; zeros where nobody counts."""
    found = {"VmRSS": 0.0, "VmHWM": 0.0}
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name in found:
            found[name] = int(value.split()[0]) * 1024 / MIB
    return found["VmRSS"], found["VmHWM"]


def run(command: List[str], errors: Path) -> Tuple[float, float]:
    """Run a command to its end: (seconds, MiB of memory at its peak); RuntimeError if it failed.

    The peak is at least what this process has, of which the other begins as a copy: keep it small.
    """
    with open(errors, "wb+") as file:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            file.seek(0)
            words = file.read().decode("utf-8", "replace").strip()
            raise RuntimeError(f"{' '.join(command)}: status {process.returncode}: {words}")
    kilobytes = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss / 1024
    return seconds, kilobytes * 1024 / MIB
