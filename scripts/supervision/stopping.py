"""Stop daemons: those that are on record, and no others."""

import os
import signal
import time
from typing import List, Sequence

from scripts.supervision.daemons import KINDS, Daemon, Record, Site, say

STOP_SECONDS = 30.0
PAUSE_SECONDS = 0.02


def stop(site: Site, chosen: Sequence[Daemon]) -> int:
    """End all that run: datanodes first, so that each can still say goodbye to the others.

    The exit status: 1 when one of them runs on, because it was not started here.
    """
    running_on = 0
    if not any(daemon.record() or site.listener(daemon) for daemon in chosen):
        print("nothing of this runs here", flush=True)
    for kind in reversed(KINDS):
        running_on += _stop_together(site, [daemon for daemon in chosen if daemon.kind == kind])
    return 1 if running_on else 0


def _stop_together(site: Site, daemons: List[Daemon]) -> int:
    """How many of them run on."""
    running, running_on = [], 0
    for daemon in daemons:
        record = daemon.record()
        if record and _signal(daemon, record, signal.SIGTERM):
            running.append((daemon, record))
        elif record:
            running_on += 1
        else:
            # It died, or this number is another process's by now.
            daemon.forget()
            running_on += _is_elsewhere(site, daemon)
    deadline = time.monotonic() + STOP_SECONDS
    for daemon, record in running:
        how = "stopped"
        if not _wait_gone(record, deadline):
            _signal(daemon, record, signal.SIGKILL)
            how = f"killed: it did not stop in {STOP_SECONDS:g} s"
            _wait_gone(record, time.monotonic() + STOP_SECONDS)
        daemon.forget()
        print(f"{daemon.role} {daemon.address} {how}", flush=True)
    return running_on


def _signal(daemon: Daemon, record: Record, number: int) -> bool:
    """Whether it could be told."""
    try:
        os.kill(record.pid, number)
    except ProcessLookupError:
        return True  # It ended by itself, which is what was wanted.
    except PermissionError:
        say(f"{daemon.role} {daemon.address} runs on: pid {record.pid} is another user's process")
        return False
    return True


def _is_elsewhere(site: Site, daemon: Daemon) -> bool:
    """Whether somebody else runs it; says so."""
    listener = site.listener(daemon)
    if listener is None or (listener.pid and not daemon.kind.is_run_by(listener.command)):
        return False
    say(f"{daemon.role} {daemon.address} runs on: it was not started here, but by somebody "
        f"else: {listener}")
    return True


def _wait_gone(record: Record, deadline: float) -> bool:
    while record.lives:
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
