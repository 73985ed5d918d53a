"""Visit every state of the models of the metadata quorum, within larger bounds than the tests.

    python3 scripts/check_protocol.py [WORD …] [--states N]
    python3 scripts/check_protocol.py --mistakes [--way]

WORD chooses the models whose titles it is in. The models say what the quorum of metadata services
may do (tests/protocol/); each planted mistake gets one rule wrong, and must be found. The larger
bounds take minutes and some GB of memory. The exit status is 1 when a rule was broken, or when a
mistake was not found.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import List, Optional

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tests.protocol.bounds import BOUNDS, MISTAKES  # noqa: E402
from tests.protocol.explorer import Found, explore  # noqa: E402

STATES_MAX = 1_500_000


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(description="Explore the models of the metadata quorum.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="in the titles of those wanted")
    parser.add_argument(
        "--states", type=int, default=STATES_MAX, metavar="N",
        help=f"states of one model at most ({STATES_MAX:,})",
    )  # fmt: skip
    parser.add_argument("--mistakes", action="store_true", help="the planted mistakes instead")
    parser.add_argument("--way", action="store_true", help="show how each mistake is met")
    return parser.parse_args(argv)


def told(title: str, verdict: str, found: Found, seconds: float) -> None:
    """Print what a search came to."""
    print(f"{title}: {verdict}; {found.states:,} states, {found.steps:,} steps, "
          f"depth {found.depth}, {seconds:.1f} s", flush=True)


def shown(found: Found) -> None:
    """Print the way to what was broken."""
    for number, step in enumerate(found.way, 1):
        print(f"    {number:2} {step}")
    print(f"    => {found.broken}")


def check(words: List[str], states_max: int) -> int:
    """Explore what is wanted; how many models broke a rule."""
    broken = 0
    for bounds in BOUNDS:
        if words and not any(word in bounds.title for word in words):
            continue
        began = time.monotonic()
        found = explore(bounds.build(), states_max)
        verdict = "holds in all states" if found.finished else "holds as far as was looked"
        told(bounds.title, "BROKEN" if found.broken else verdict, found, time.monotonic() - began)
        if found.broken:
            broken += 1
            shown(found)
    return broken


def find_mistakes(words: List[str], states_max: int, way: bool) -> int:
    """Look for the planted mistakes; how many were not found."""
    missed = 0
    for title, build in MISTAKES.items():
        if words and not any(word in title for word in words):
            continue
        began = time.monotonic()
        found = explore(build(), states_max)
        missed += not found.broken
        told(title, "found" if found.broken else "NOT FOUND", found, time.monotonic() - began)
        if way and found.broken:
            shown(found)
    return missed


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    arguments = parse(argv)
    if arguments.mistakes:
        return min(1, find_mistakes(arguments.words, arguments.states, arguments.way))
    return min(1, check(arguments.words, arguments.states))


if __name__ == "__main__":
    sys.exit(main())
