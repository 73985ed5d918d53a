"""What long trials such as chaos.py and fuzz.py have in common: how they begin, and what stays."""

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Callable


def say(text: str) -> None:
    """A line, at once: whoever waits wants to see it now."""
    print(text, flush=True)


def in_own_folder(name: str, seed: int, keep: bool, run: Callable[[Path], int]) -> int:
    """The exit status of `run`, in a new directory that stays only if that is not 0, or to `keep`.

    A signal to end ends `run` as an exception does.
    """
    # The end of a terminal's session must stop the daemons, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    say(f"seed {seed}, in {folder}")
    found = True
    try:
        status = run(folder)
        found = bool(status)
    finally:
        if found or keep:
            print(f"logs and disks are in {folder}")
        else:
            shutil.rmtree(folder)
    return status
