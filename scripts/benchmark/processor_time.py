"""Processor time by process: what a piece of work costs each daemon, and its client."""

import os
from pathlib import Path
from typing import Dict, Mapping

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")

_USER_FIELD, _SYSTEM_FIELD = 11, 12
"""Of /proc/PID/stat, counted behind the name, which may have any bytes in it."""


def seconds_of(pid: int) -> float:
    """Seconds of processor time that a process used so far; 0 where nobody counts."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except FileNotFoundError:
        return 0.0
    fields = line.rpartition(")")[2].split()
    return (int(fields[_USER_FIELD]) + int(fields[_SYSTEM_FIELD])) * TICK_SECONDS


class ProcessorTime:
    """Of these processes, from now on; `pids` has each of them by its role."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = {role: seconds_of(pid) for role, pid in pids.items()}

    def used(self) -> Dict[str, float]:
        """Kind of process -> seconds; daemons of one kind, such as data_node_2, are one."""
        found: Dict[str, float] = {}
        for role, pid in self._pids.items():
            kind = role.rstrip("0123456789").rstrip("_")
            found[kind] = found.get(kind, 0.0) + seconds_of(pid) - self._before[role]
        return found
