"""Run a cluster of real processes under load while everything breaks, and check that all holds.

    python3 scripts/chaos.py [--ha] [--minutes N] [--seed S] [--keep]
    python3 scripts/chaos.py --replay DIR

Five datanodes (one with two directories, one on a disk of a few megabytes where mounting is
allowed), two namenodes, a zookeeper and a metadata service start in a temporary directory, on free
ports of this machine, so that several trials may run at once. Clients put, overwrite, append,
flush, truncate, concatenate, get, rename, delete, list, page, make directories, and set
replications, quotas and modes, as several users; meanwhile daemons and clients are killed and
paused, links cut, stalled and slowed, replicas damaged, disks filled and taken away. After each
round of faults everything is mended, and must become whole again; then the round is judged, and
forgotten. So a trial may last for hours.

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

With `--ha` there are three metadata services, two namenodes, three zookeepers and four datanodes,
and each way between two of them can be broken alone, in one direction, too. Of one metadata service
at a time the disk is emptied, damaged or filled; namenodes are told to hand over; and besides:

  I8  one namenode leads, the other stands by, and all metadata services have the same rows
  I11 while most metadata services are away, no change is acknowledged

What is done follows from the seed; when it meets whom depends on the machine, so a seed that fails
may have to run some times to fail again. Prints the seed, and on a violation the first one with the
newest part of the history; the directory with all logs is kept then, and in it `evidence`: all
calls and faults of the round, what the namenode and the disks had in the end, and a copy of the
record's database. `--replay DIR` judges that directory once more, without a cluster.

The exit status is 0 when everything held, 1 on a violation, 2 when the trial itself failed, and
3 when a round could not be judged because the search for an order of events took too long.
"""

import argparse
import logging
import sys
from pathlib import Path
from random import SystemRandom
from typing import List, Optional

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from scripts.testing.trials import in_own_folder, say  # noqa: E402
from tests.chaos.evidence import judge_again  # noqa: E402
from tests.chaos.shapes import SEVERAL, SINGLE, Shape  # noqa: E402
from tests.chaos.trial import Trial  # noqa: E402

ROUND_SECONDS = 30.0
HISTORY_LINES = 80


EVIDENCE = "evidence"
HELD, BROKEN, FAILED, UNDECIDED = 0, 1, 2, 3


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=2.0, metavar="N", help="of faults, in rounds (2)"
    )
    parser.add_argument("--ha", action="store_true", help="with several of everything")
    parser.add_argument("--seed", type=int, metavar="S", help="of all that is random")
    parser.add_argument("--keep", action="store_true", help="keep the directory in any case")
    parser.add_argument(
        "--replay", type=Path, metavar="DIR", help="judge the evidence of a directory again"
    )
    arguments = parser.parse_args(argv)
    if arguments.minutes <= 0:
        parser.error("--minutes must be more than 0")
    if arguments.seed is None:
        arguments.seed = SystemRandom().randrange(1 << 32)
    return arguments


def run(folder: Path, seed: int, seconds: float, shape: Shape = SINGLE) -> int:
    """The exit status of one run in this directory."""
    trial = Trial(folder, seed, say, shape)
    try:
        with trial:
            try:
                trial.run(seconds, max(1, round(seconds / ROUND_SECONDS)))
            except Exception as error:
                tail = trial.history.tail(HISTORY_LINES)
                trial.keep_evidence(folder / EVIDENCE, f"seed {seed}: {error}")
                print(f"\n{tail}\n")
                raise
    except AssertionError as error:
        print(f"seed {seed} broke a promise:\n{error}")
        return BROKEN
    except Exception as error:
        logging.exception("the trial itself failed")
        print(f"seed {seed}: the trial itself failed: {error!r}")
        return FAILED
    trial.say_counts()
    if trial.undecided:
        print(f"seed {seed}: no violation, but nobody knows of:", *trial.undecided, sep="\n")
        return UNDECIDED
    print(f"seed {seed}: every invariant held")
    return HELD


def replay(folder: Path) -> int:
    """The exit status of judging again what was kept in this directory, or in its `evidence`."""
    kept = folder / EVIDENCE if (folder / EVIDENCE).is_dir() else folder
    try:
        complaints, undecided = judge_again(kept)
    except (OSError, ValueError) as error:
        print(f"{kept} holds nothing to judge: {error}")
        return FAILED
    print(*complaints, *undecided, sep="\n")
    if complaints:
        print(f"{kept}: a promise was broken")
        return BROKEN
    print(f"{kept}: " + ("not judged within the limit of steps" if undecided else "all held"))
    return UNDECIDED if undecided else HELD


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    arguments = parse(argv)
    if arguments.replay is not None:
        return replay(arguments.replay)
    seed, seconds = arguments.seed, arguments.minutes * 60
    shape = SEVERAL if arguments.ha else SINGLE
    return in_own_folder(
        "chaos", seed, arguments.keep, lambda folder: run(folder, seed, seconds, shape)
    )


if __name__ == "__main__":
    sys.exit(main())
