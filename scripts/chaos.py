"""Run a cluster of real processes under load while everything breaks, and check that all holds.

    python3 scripts/chaos.py [--minutes N] [--seed S] [--keep]

Five datanodes (one with two directories, one on a disk of a few megabytes where mounting is
allowed), two namenodes, a zookeeper and a metadata service start in a temporary directory, on free
ports of this machine. Clients put, overwrite, get, rename, delete, list, make directories and set
replications; meanwhile daemons and clients are killed and paused, links cut, stalled and slowed,
replicas damaged, disks filled and taken away. After each round of faults everything is mended, and
must be whole again within a minute:

  I1  every acknowledged file has its bytes, also with all but one of its replicas out of reach
  I2  a put that failed is not visible; with overwrite the old content is still there
  I3  a call of unknown fate was carried out or not; all who look later agree, also after restarts
  I4  acknowledged changes stay, what was deleted does not come back, rename shows one name
  I5  no get succeeds with bytes that were not written
  I6  every block is on its full number of disks, verified, and nothing else is on any; namenode,
      database and disks say the same
  I7  no daemon ends, leaks, or floods its log
  I8  the record is dense, and of one namenode at a time
  I9  a call that was repeated had one effect
  I10 one order of events explains every answer that any client got

What is done follows from the seed; when it meets whom depends on the machine, so a seed that fails
may have to run some times to fail again. Prints the seed, and on a violation the first one with the
newest part of the history; the directory with all logs is kept then. The exit status is 1 on a
violation, 0 when everything held.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import List, Optional

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tests.chaos.trial import Trial  # noqa: E402

ROUND_SECONDS = 30.0
HISTORY_LINES = 80


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=2.0, metavar="N", help="of faults, in rounds (2)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="of all that is random")
    parser.add_argument("--keep", action="store_true", help="keep the directory in any case")
    arguments = parser.parse_args(argv)
    if arguments.minutes <= 0:
        parser.error("--minutes must be more than 0")
    if arguments.seed is None:
        arguments.seed = SystemRandom().randrange(1 << 32)
    return arguments


def run(folder: Path, seed: int, seconds: float) -> int:
    """The exit status of one run in this directory."""
    trial = Trial(folder, seed, _say)
    try:
        with trial:
            trial.run(seconds, max(1, round(seconds / ROUND_SECONDS)))
    except AssertionError as error:
        print(f"\n{trial.history.tail(HISTORY_LINES)}\n\nseed {seed} broke a promise:\n{error}")
        return 1
    print(f"seed {seed}: every invariant held")
    return 0


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    arguments = parse(argv)
    # The end of a terminal's session must stop the daemons, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    _say(f"seed {arguments.seed}, in {folder}")
    status = 1
    try:
        status = run(folder, arguments.seed, arguments.minutes * 60)
    finally:
        if status or arguments.keep:
            print(f"logs and disks are in {folder}")
        else:
            shutil.rmtree(folder)
    return status


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
