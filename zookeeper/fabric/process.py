"""What this process takes of its machine, under the names that Prometheus's own libraries use."""

import os
import platform
import resource
import threading
import time
from typing import Tuple

from zookeeper.fabric.figures import (
    GAUGE,
    INFO,
    START_TIME,
    VERSION_TAG,
    Family,
    Sample,
    counter,
    gauge,
)
from zookeeper.fabric.moments import now
from zookeeper.fabric.release import VERSION

_started = now()


def process_figures() -> Tuple[Family, ...]:
    """Memory, threads, open files, processor time, and since when it runs."""
    about = (("python", platform.python_version()), (VERSION_TAG, VERSION))
    return (
        Family(INFO, GAUGE, "Which release runs.", (Sample(about, (1.0,)),)),
        gauge(START_TIME, "When the process began, in seconds since 1970.", _started),
        gauge("process_resident_memory_bytes", "Memory that it has.", _resident_bytes()),
        gauge("process_threads", "Threads of Python.", threading.active_count()),
        gauge("process_open_fds", "Open files and sockets.", _open_files()),
        counter("process_cpu_seconds_total", "Processor time that it took.", time.process_time()),
    )


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        # Not on every system: the most that it ever had is the next best.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0
