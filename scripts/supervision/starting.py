"""Start daemons, and wait until the cluster can be used.

Nobody is stopped because another one failed: that a datanode may be dead is what the cluster is
for. A daemon is waited for as long as it makes progress, which is what it computes and moves, not
what it says: who waits for another one says so again and again. When it makes none any more it is
left running, because what it waits for may still come.
"""

import math
import os
import signal
import subprocess
import time
from typing import Dict, List, NamedTuple, Optional, Sequence

from scripts.supervision.daemons import ROOT, Daemon, Record, Site, say
from scripts.supervision.log_ends import LogReader, tail
from scripts.supervision.processes import Effort, effort_of, identity
from scripts.supervision.turn import is_free
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.identity import METADATA
from zookeeper.fabric.settings import Settings

QUIET_SECONDS = 60.0
"""How long a daemon may do nothing before it is not waited for any more."""

QUIET_WITHOUT_NEEDED_SECONDS = 5.0
"""The same, when a daemon that it needs does not run here although it should."""

QUIET_SAFE_MODE_SECONDS = 15.0
"""How long safe mode may have the same reason before its end is not waited for any more."""

TELL_SECONDS = 10.0
"""Who waits for longer is told for what."""

END_SECONDS = 10.0
PAUSE_SECONDS = 0.05

# What a process that only waits does not reach within so many seconds: a namenode that looks for
# metadata services computes for half a second a minute.
_CPU_SECONDS = 0.5
_BYTES_MOVED = 1 << 20
_LOOK_SECONDS = 10.0

_LINES_OF_THE_ENDED = 20
_LINES_OF_THE_WAITING = 3


class Waiting:
    """A daemon that runs and is not ready yet."""

    def __init__(self, daemon: Daemon, record: Record, log: LogReader) -> None:
        self.daemon = daemon
        self.record = record
        self._log = log
        self._began = self._progress_at = self._looked_at = time.monotonic()
        self._effort = Effort(0.0, 0)

    def is_ready(self) -> bool:
        """Whether it has said that it serves; then that is on record."""
        mark = f"daemon.ready role={self.daemon.kind.name} pid={self.record.pid} "
        if not any(mark in line for line in self._log.lines()):
            return False
        try:
            if self.daemon.record() == self.record:
                self.daemon.remember(self.record._replace(ready=True))
        except OSError as error:
            # Then the next start reads the log again.
            say(f"cannot note that {self.daemon.role} is ready: {error.strerror}")
        return True

    def quiet_seconds(self) -> float:
        """How long ago it was seen to make progress."""
        now, effort = time.monotonic(), effort_of(self.record.pid)
        if (
            effort.cpu_seconds - self._effort.cpu_seconds >= _CPU_SECONDS
            or effort.bytes_moved - self._effort.bytes_moved >= _BYTES_MOVED
        ):
            self._progress_at = self._looked_at = now
            self._effort = effort
        elif now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at, self._effort = now, effort
        return now - self._progress_at

    def waited_seconds(self) -> float:
        """How long it is waited for already."""
        return time.monotonic() - self._began


class Start(NamedTuple):
    """One start: whom it is about, whom to wait for, and the roles that failed."""

    site: Site
    chosen: Sequence[Daemon]
    waiting: List[Waiting]
    failed: Dict[str, str]
    """Role -> kind, of what does not run, or is not waited for any more."""


def begin(site: Site, chosen: Sequence[Daemon]) -> Start:
    """Start all that do not run."""
    state = Start(site, chosen, [], {})
    for daemon in chosen:
        if daemon in site.left:
            say(f"{daemon.role} {daemon.address} runs, though it is not in config.ini any more: "
                "stop ends it")
        else:
            _begin(state, daemon)
    return state


def wait(state: Start) -> int:
    """Wait for what was started; the exit status, 0 when the cluster can be used, or lacks only
    datanodes that somebody else is going to start."""
    site, chosen = state.site, state.chosen
    _await_ready(state)
    namenodes = [daemon for daemon in site.daemons if daemon.kind.name == "name_node"]
    if any(_serves(state, daemon) for daemon in namenodes):
        if not await_changes(site.settings, _lacks_datanodes(site)):
            return 1
    for daemon in chosen:
        if daemon.page and _serves(state, daemon):
            print(f"The cluster in a browser: {daemon.page}", flush=True)
    return 1 if state.failed else 0


def _lacks_datanodes(site: Site) -> bool:
    """Whether there are datanodes that do not run here: who should and does not, has failed."""
    running = {daemon.address for daemon in site.daemons if daemon.record() is not None}
    return not running.issuperset(map(str, site.settings.data_node.hosts))


def _serves(state: Start, daemon: Daemon) -> bool:
    record = daemon.record()
    return daemon.role not in state.failed and record is not None and record.ready


def _begin(state: Start, daemon: Daemon) -> None:
    """Start one daemon, unless it runs or somebody else is in its place."""
    record = daemon.record()
    if record:
        print(f"{daemon.role} {daemon.address} runs already, pid {record.pid}", flush=True)
        if not record.ready:
            state.waiting.append(Waiting(daemon, record, LogReader(daemon.log_path, 0)))
        return
    listener = state.site.listener(daemon)
    if listener and daemon.kind.is_run_by(listener.command):
        print(f"{daemon.role} {daemon.address} runs already, pid {listener.pid}, started "
              "by somebody else", flush=True)
    elif listener:
        _fail(state, daemon, f"another process listens on {daemon.address} ({daemon.role}): "
              f"{listener}; stop it, or edit config.ini")
    else:
        log = LogReader(daemon.log_path)
        try:
            record = _launch(daemon, state.site.settings)
        except OSError as error:
            _fail(state, daemon, f"cannot start {daemon.role}: {error.filename or 'its record'}: "
                  f"{error.strerror}")
            return
        state.waiting.append(Waiting(daemon, record, log))


def _launch(daemon: Daemon, settings: Settings) -> Record:
    """Start the process in a session of its own, and remember it. Raises OSError.

    A process that nobody could find again is not left behind.
    """
    log = os.open(daemon.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        process = subprocess.Popen(
            daemon.command(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
        )
    finally:
        os.close(log)
    record = Record(process.pid, identity(process.pid), daemon.address)
    try:
        daemon.remember(record)
    except OSError:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    _CHILDREN[process.pid] = process
    return record


_CHILDREN: Dict[int, "subprocess.Popen[bytes]"] = {}
"""What this script started, so that it learns how they end."""


def _await_ready(state: Start) -> None:
    """Return when nobody is left whose readiness is worth waiting for."""
    tell_at = time.monotonic() + TELL_SECONDS
    while state.waiting:
        if time.monotonic() > tell_at:
            say(f"waiting for {', '.join(waiting.daemon.role for waiting in state.waiting)}")
            tell_at = math.inf
        for waiting in list(state.waiting):
            daemon, pid = waiting.daemon, waiting.record.pid
            if waiting.is_ready():
                print(f"{daemon.role} {daemon.address} is ready, pid {pid}", flush=True)
            elif not waiting.record.lives:
                if not is_free(state.site.folder):
                    continue  # Another cluster.py ends it, and perhaps starts it again.
                _ended(state, waiting)
            elif waiting.quiet_seconds() > _patience(state, daemon):
                _fail(state, daemon, f"{daemon.role} {daemon.address} is not ready after "
                      f"{waiting.waited_seconds():.0f} s and is left running, pid {pid}: it serves "
                      "as soon as it gets what it waits for\n"
                      + tail(daemon.log_path, _LINES_OF_THE_WAITING))
            else:
                continue
            state.waiting.remove(waiting)
        time.sleep(PAUSE_SECONDS)


def _ended(state: Start, waiting: Waiting) -> None:
    daemon = waiting.daemon
    again = daemon.record()
    if again:  # Whoever repairs something has restarted it.
        state.waiting.append(Waiting(daemon, again, LogReader(daemon.log_path, 0)))
        return
    _fail(state, daemon, f"{daemon.role} ended{_how(waiting.record.pid)}\n"
          + tail(daemon.log_path, _LINES_OF_THE_ENDED))
    daemon.forget()


def _how(pid: int) -> str:
    process = _CHILDREN.get(pid)
    status = process.poll() if process else None
    if status is None:
        return ""
    if status < 0:
        return f", killed by {signal.Signals(-status).name}"
    return f" with status {status}"


def _patience(state: Start, daemon: Daemon) -> float:
    for kind in daemon.kind.needs:
        needed = [other for other in state.site.daemons if other.kind.name == kind]
        missing = sum(_is_missing(state, other) for other in needed)
        # The record is of use with a majority of those that keep it; of all others one is enough.
        members = len(state.site.settings.metadata.hosts)
        too_many = (members + 1) // 2 if kind == METADATA else len(needed)
        if needed and missing >= too_many:
            return QUIET_WITHOUT_NEEDED_SECONDS
    return QUIET_SECONDS


def _is_missing(state: Start, daemon: Daemon) -> bool:
    if daemon.role in state.failed:
        return True
    return daemon.record() is None and state.site.listener(daemon) is None


def _fail(state: Start, daemon: Daemon, sentence: str) -> None:
    state.failed[daemon.role] = daemon.kind.name
    say(sentence)


_OF_SAFE_MODE = ("What is missing: pyhdfs fsck /; the state: pyhdfs safemode get; to end it by "
                 "hand: pyhdfs safemode leave")  # fmt: skip
_OF_SILENCE = "What the namenodes wait for: pyhdfs haadmin -members"
"""What to do about a cluster that cannot be changed, or does not answer."""


def await_changes(settings: Settings, lacks_datanodes: bool) -> bool:
    """Wait for the end of safe mode; whether it ended, or the cluster `lacks_datanodes`, which
    have blocks to report. Says why it does not end."""
    # Imported here, because it needs RPyC: who only asks for the status may not have it.
    from data_service.filesystem import FileSystem

    known: Optional[str] = None
    changed_at = time.monotonic()
    tell_at = changed_at + TELL_SECONDS
    in_safe_mode = QUIET_WITHOUT_NEEDED_SECONDS if lacks_datanodes else QUIET_SAFE_MODE_SECONDS
    with FileSystem(settings) as file_system:
        while True:
            try:
                status = file_system.briefly().cluster_status()
                if not status.safe_mode:
                    return True
                reason = status.safe_mode_reason
                trouble = f"the cluster is in safe mode, and lets nobody change anything: {reason}"
                answers, final = True, "manually" in reason
                quiet, remedy = in_safe_mode, _OF_SAFE_MODE
            except DfsError as error:
                # Of several namenodes now one, now another says why.
                reason, trouble = "", f"the namenode does not answer: {error.message}"
                answers = final = False
                quiet, remedy = QUIET_SECONDS, _OF_SILENCE
            if reason != known:
                known, changed_at = reason, time.monotonic()
            if time.monotonic() > tell_at:
                say(f"waiting: {trouble}")
                tell_at = math.inf
            if final or time.monotonic() - changed_at > quiet:
                say(f"{trouble}\nEverything is left running. {remedy}")
                return answers and lacks_datanodes and not final
            time.sleep(PAUSE_SECONDS)
