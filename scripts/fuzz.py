"""Send odd messages to every port of a cluster, and check that nobody minds.

    python3 scripts/fuzz.py [--count N] [--seconds S] [--seed X] [--security MODE]
    python3 scripts/fuzz.py --seed X --first N --count 1 --show

Three datanodes, a namenode, a zookeeper and a metadata service start in a temporary directory, on
free ports of this machine. Every call of every table is made with arguments that are right but for
one thing, or altogether wrong (other types and counts, numbers out of range, NaN, lone surrogates,
NUL, `..`, names of ten megabytes, deep and long tuples), in the name of a user, the superuser and
of every daemon. Between them come frames that were cut, changed, compressed, nested or mislabelled,
requests for what stock RPyC would give away, and handshakes with something wrong in them.

Checked are, while an honest client works beside it:

  - no daemon ends, nor logs an error or a traceback; no answer is `internal` or tells of the
    program
  - what must be refused is refused, and everything is answered in time
  - the files, their blocks and the datanodes are afterwards what they were before
  - descriptors, threads and memory of every daemon are back near those of the beginning, and no log
    grew by more than a megabyte a minute
  - every call of the honest client is done; how long they took is told

What is sent follows from the seed and the number of a shot alone, so `--first` repeats what was
found; what it meets may depend on the shots before. The exit status is 0 when all held, 1 when
something was found, and 2 when the attack itself failed.
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
from tests.fuzzing.campaign import Campaign, Found, Report  # noqa: E402
from tests.support.clusters.cluster import Cluster  # noqa: E402

HELD, FOUND, FAILED = 0, 1, 2


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20_000, metavar="N", help="shots (20,000)")
    parser.add_argument(
        "--seconds", type=float, default=120.0, metavar="S", help="how long at most (120)"
    )
    parser.add_argument("--seed", type=int, metavar="X", help="of all that is random")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first")
    parser.add_argument(
        "--security", choices=("simple", "secret"), default="secret", help="mode (secret)"
    )
    parser.add_argument("--show", action="store_true", help="say what is sent")
    parser.add_argument("--keep", action="store_true", help="keep the directory in any case")
    arguments = parser.parse_args(argv)
    if arguments.count < 1 or arguments.seconds <= 0 or arguments.first < 0:
        parser.error("--count and --seconds must be more than 0, --first at least 0")
    if arguments.seed is None:
        arguments.seed = SystemRandom().randrange(1 << 32)
    return arguments


def run(folder: Path, arguments: argparse.Namespace) -> int:
    """The exit status of one attack on a cluster in this directory."""
    seed = arguments.seed
    try:
        with Cluster(folder, security=arguments.security) as cluster:
            campaign = Campaign(cluster, seed, say if arguments.show else None)
            report = campaign.run(arguments.first, arguments.count, arguments.seconds)
    except Found as found:
        count = found.last - found.first + 1
        print(f"seed {seed}: found after shots {found.first} to {found.last}:\n{found}")
        print(f"again: scripts/fuzz.py --seed {seed} --first {found.first} --count {count} --show")
        return FOUND
    except Exception as error:
        logging.exception("the attack itself failed")
        print(f"seed {seed}: the attack itself failed: {error!r}")
        return FAILED
    for line in told(report):
        say(line)
    say(f"seed {seed}: all held")
    return HELD


def told(report: Report) -> List[str]:
    """The report's lines."""
    outcomes = sorted(report.outcomes.items(), key=lambda item: -item[1])
    rate = report.shots / report.seconds
    return [
        f"{report.shots} shots in {report.seconds:.0f} s, {rate:.0f} a second",
        "  " + ", ".join(f"{count} {what}" for what, count in outcomes),
        str(report.service),
        "logs grew: " + ", ".join(f"{role} {size}" for role, size in sorted(report.grown.items())),
    ]


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    arguments = parse(argv)
    return in_own_folder(
        "fuzz", arguments.seed, arguments.keep, lambda folder: run(folder, arguments)
    )


if __name__ == "__main__":
    sys.exit(main())
