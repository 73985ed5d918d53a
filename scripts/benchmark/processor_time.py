"""Processor time by process: what a piece of work costs each daemon, and its client."""

import time
from typing import Dict, Mapping

_SCHEDULED = 2
"""The clock of a process that counts as its scheduler does, to the nanosecond: what /proc tells
comes in ticks of 10 ms, in which a hundred calls are over."""


def seconds_of(pid: int) -> float:
    """Seconds of processor time that a process used so far; 0 where nobody counts."""
    try:
        # As clock_getcpuclockid(3) makes it of the number of a process.
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    except OSError:
        return 0.0


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
