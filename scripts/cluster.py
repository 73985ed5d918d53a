"""Run the daemons of config.ini that belong on this machine, in the background.

    python3 scripts/cluster.py start | stop | status | logs [ROLE]
        [--config FILE] [--data-nodes N] [--this-host HOST]

Each daemon has a log and a record of its process in one folder, `run/<name of the config file>`
next to the data. A record holds what tells the process from a later one with the same number, so
that `stop` never signals a stranger.
"""

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional

ROOT = Path(__file__).resolve().parent.parent

if not __package__:
    sys.path[0] = str(ROOT)

from zookeeper.fabric.errors import SettingsError  # noqa: E402
from zookeeper.fabric.settings import Address, Settings, load  # noqa: E402

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
PAUSE_SECONDS = 0.02
TAIL_LINES = 20


class Failure(Exception):
    """What `main` says in its last line before it exits with status 1."""


class Record(NamedTuple):
    """A process that was started: its number, and what only this process has."""

    pid: int
    identity: str


class Daemon:
    """One daemon of config.ini on this machine: what starts it, and whether it runs."""

    def __init__(self, role: str, address: Address, command: List[str], folder: Path) -> None:
        self.role = role
        self.address = address
        self.command = command
        self.log_path = folder / f"{role}.log"
        self._record_path = folder / f"{role}.pid"

    def record(self) -> Optional[Record]:
        """The process of this daemon, if it still is the one that was started."""
        try:
            record = Record(*json.loads(self._record_path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return record if identity(record.pid) == record.identity else None

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the process, in a session of its own, and remember it."""
        with open(self.log_path, "ab") as log:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )
        record = Record(process.pid, identity(process.pid))
        self._record_path.write_text(json.dumps(record), "utf-8")
        return process

    def wait_ready(self, process: "subprocess.Popen[bytes]", log_start: int) -> None:
        """Return when the log has a ready line after `log_start`; Failure with the log's end."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready(log_start):
            if process.poll() is not None:
                raise Failure(f"{self.role} ended with status {process.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.role} is not ready after {READY_SECONDS:g} s\n{self.tail()}")
            time.sleep(PAUSE_SECONDS)

    def _is_ready(self, log_start: int) -> bool:
        with open(self.log_path, "rb") as log:
            log.seek(log_start)
            return any(line.startswith(b"ready ") for line in log.read().splitlines())

    def forget(self) -> None:
        """Remove the record of a process that has ended."""
        self._record_path.unlink(missing_ok=True)

    def tail(self) -> str:
        """The last lines of the log, under its name."""
        try:
            lines = self.log_path.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        except OSError:
            lines = ["(no log)"]
        return "\n".join([f"==> {self.log_path} <=="] + lines)


def identity(pid: int) -> str:
    """When the process began, to the tick, or empty when there is none (or only a dead child)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except FileNotFoundError:
        return "" if Path("/proc/self").exists() else _identity_by_ps(pid)
    except ProcessLookupError:
        return ""
    # Fields are counted from 1; the name, which is the second, may hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[3 - 3], fields[22 - 3]
    return "" if state == "Z" else f"{boot} {start_ticks}"


def _identity_by_ps(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], stdout=subprocess.PIPE)
    state, _, started = done.stdout.decode("utf-8", "replace").strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def is_of_this_machine(host: str) -> bool:
    """Whether a socket can be bound to one of the host's addresses."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return any(_can_bind(family, address) for family, _, _, _, address in found)


def _can_bind(family: int, address: object, reuse: bool = False) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            if reuse:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)  # type: ignore[arg-type]
        except OSError:
            return False
    return True


def is_taken(address: Address) -> bool:
    """Whether some process listens there already; only for hosts of this machine."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return any(
        _can_bind(family, (where[0], 0)) and not _can_bind(family, where, reuse=True)
        for family, _, _, _, where in found
    )


def daemons_of(settings: Settings, arguments: argparse.Namespace) -> List[Daemon]:
    """Those of config.ini that belong here, in the order in which they depend on each other."""
    folder = run_folder(settings)
    config = ["--config", settings.path] if settings.path else []
    data_node_hosts = settings.data_node.hosts[: arguments.data_nodes]
    rows = [
        ("zookeeper", "zookeeper/zk.py", settings.zookeeper.hosts),
        ("metadata", "metadata_service/metadata.py", settings.metadata.hosts),
        ("name_node", "data_service/name_node.py", settings.name_node.hosts),
        ("data_node", "data_service/data_node.py", data_node_hosts),
    ]
    found = []
    for kind, launcher, hosts in rows:
        for index, address in enumerate(hosts):
            if address.host in arguments.this_host or is_of_this_machine(address.host):
                command = [sys.executable, str(ROOT / launcher)]
                command += [str(index)] if kind == "data_node" else []
                single = len(hosts) == 1 and kind != "data_node"
                role = kind if single else f"{kind}_{index}"
                found.append(Daemon(role, address, command + config, folder))
    if not found:
        raise Failure(f"{settings.path}: no daemon of this file belongs on this machine")
    return found


def run_folder(settings: Settings) -> Path:
    """Where logs and records of this config file's daemons are."""
    name = Path(settings.path).stem if settings.path else "defaults"
    return Path(settings.zookeeper.zookeeper_dir).parent / "run" / name


def start(daemons: List[Daemon]) -> None:
    """Start all that do not run, wait until each is ready; on failure stop what was started."""
    down = [daemon for daemon in daemons if not daemon.record()]
    for daemon in daemons:
        if daemon not in down:
            print(f"{daemon.role} {daemon.address} runs already")
    taken = [f"{daemon.address} ({daemon.role})" for daemon in down if is_taken(daemon.address)]
    if taken:
        raise Failure(f"another process listens on {', '.join(taken)}: stop it, or edit config.ini")
    begun = []
    try:
        log_starts = {daemon.role: _size(daemon.log_path) for daemon in down}
        for daemon in down:
            begun.append((daemon, daemon.start()))
        for daemon, process in begun:
            daemon.wait_ready(process, log_starts[daemon.role])
            print(f"{daemon.role} {daemon.address} is ready, pid {process.pid}", flush=True)
    except BaseException:
        stop([daemon for daemon, _ in begun])
        raise


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def stop(daemons: List[Daemon]) -> None:
    """End all that run: datanodes first, so that each can still say goodbye to the others."""
    by_kind: Dict[str, List[Daemon]] = {}
    for daemon in reversed(daemons):
        by_kind.setdefault(daemon.role.rstrip("0123456789"), []).append(daemon)
    for group in by_kind.values():
        _stop_together(group)


def _stop_together(daemons: Iterable[Daemon]) -> None:
    running = []
    for daemon in daemons:
        record = daemon.record()
        if record:
            running.append((daemon, record))
            os.kill(record.pid, signal.SIGTERM)
        else:
            # It died, or this number is another process's by now.
            daemon.forget()
    deadline = time.monotonic() + STOP_SECONDS
    for daemon, record in running:
        how = "stopped"
        if not _wait_gone(record, deadline):
            os.kill(record.pid, signal.SIGKILL)
            how = f"killed: it did not stop in {STOP_SECONDS:g} s"
            _wait_gone(record, time.monotonic() + STOP_SECONDS)
        daemon.forget()
        print(f"{daemon.role} {daemon.address} {how}", flush=True)


def _wait_gone(record: Record, deadline: float) -> bool:
    while identity(record.pid) == record.identity:
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def status(daemons: List[Daemon]) -> int:
    """One line a daemon; the exit status: 0 when all run."""
    down = 0
    for daemon in daemons:
        record = daemon.record()
        down += record is None
        state = f"running pid {record.pid}" if record else "down"
        print(f"{daemon.role:<14} {str(daemon.address):<24} {state}")
    return 1 if down else 0


def logs(daemons: List[Daemon], role: Optional[str]) -> None:
    """The end of one daemon's log, or of every one's."""
    chosen = [daemon for daemon in daemons if role in (None, daemon.role)]
    if not chosen:
        known = ", ".join(daemon.role for daemon in daemons)
        raise Failure(f"no daemon {role} here; there are: {known}")
    print("\n\n".join(daemon.tail() for daemon in chosen))


def count(text: str) -> int:
    """A number of daemons on the command line; ValueError becomes argparse's own sentence."""
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def act(arguments: argparse.Namespace) -> int:
    """Do what the command line says; the exit status."""
    settings = load(arguments.config)
    daemons = daemons_of(settings, arguments)
    if arguments.action == "status":
        return status(daemons)
    if arguments.action == "logs":
        logs(daemons, arguments.role)
        return 0
    folder = run_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    # Two starts at once would both find every daemon down; the lock ends with this process.
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
    if arguments.action == "start":
        start(daemons)
    else:
        stop(daemons)
    return 0


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status: 0 when all is well, 2 for a wrong command line or config.ini, else 1."""
    parser = argparse.ArgumentParser(
        description="Run the daemons of config.ini that belong on this machine, in the background."
    )
    parser.add_argument("action", choices=("start", "stop", "status", "logs"))
    parser.add_argument("role", nargs="?", help="for logs: one daemon only, such as data_node_0")
    parser.add_argument("--config", metavar="FILE", help="use FILE, not the default config.ini")
    parser.add_argument("--data-nodes", metavar="N", type=count, help="only the first N datanodes")
    parser.add_argument(
        "--this-host",
        metavar="HOST",
        action="append",
        default=[],
        help="HOST is this machine, though none of its addresses says so (a public EC2 address)",
    )
    arguments = parser.parse_args(argv)
    if arguments.role and arguments.action != "logs":
        parser.error("a role can be named for logs only")
    try:
        return act(arguments)
    except SettingsError as error:
        print(f"cluster: {error.message}", file=sys.stderr)
        return error.exit_status
    except Failure as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
