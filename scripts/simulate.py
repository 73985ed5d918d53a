"""Run the simulated cluster under many seeds, or one seed again.

    python3 scripts/simulate.py [--quorum] [--seeds N] [--first S] [--steps K]
    python3 scripts/simulate.py [--quorum] --seed S [--steps K] [--trace]
    python3 scripts/simulate.py [--quorum] --seek WORD

Every seed is another run of a whole cluster in virtual time, in which anything may crash, pause,
lose, repeat or reorder, and disks of the metadata services fail; afterwards nothing may be lost
(see tests/simulation/simulation.py). With `--quorum` it is the metadata quorum alone: three
members, and leaders that come and go, with disks that fill, hang, rot, are emptied or restored (see
tests/simulation/quorum/quorum_run.py). The same seed is the same run. A seed that fails is printed
with its last events, the rule that was broken, and the command that shows it again. The exit status
is 1 when any seed failed.

`--seek` plants each of the mistakes in whose names WORD is (pytest is needed for that), and tells
the first seed that notices it, as the tests look for one. The exit status is 1 when none does.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tests.simulation import simulation  # noqa: E402
from tests.simulation.quorum import quorum_run  # noqa: E402

FAILURES_MAX = 5


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(description="Run the simulated cluster.")
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many runs (200)")
    parser.add_argument("--first", type=int, default=0, metavar="S", help="the first seed (0)")
    parser.add_argument(
        "--steps", type=int, metavar="K",
        help=f"deeds of the world until all faults are healed ({simulation.STEPS})",
    )  # fmt: skip
    parser.add_argument("--quorum", action="store_true", help="only the metadata quorum")
    parser.add_argument("--seek", metavar="WORD", help="which seeds notice planted mistakes")
    parser.add_argument("--seed", type=int, metavar="S", help="only this one")
    parser.add_argument("--trace", action="store_true", help="print every event of --seed")
    arguments = parser.parse_args(argv)
    if arguments.trace and arguments.seed is None:
        parser.error("--trace needs --seed")
    return arguments


def run_one(seed: int, steps: int, trace: bool, quorum: bool) -> int:
    """One seed, whose events are printed when asked for; the exit status."""
    made: Any = quorum_run.QuorumRun(seed) if quorum else simulation.Simulation(seed)
    if trace:
        made.world.listener = print
    try:
        print(made.run(steps))
    except Exception as error:
        print(made.world.explain(error, steps, quorum_run.OPTION if quorum else ""))
        raise
    return 0


def run_many(seeds: range, steps: int, quorum: bool) -> int:
    """Every seed, up to some failures; the exit status."""
    run: Any = quorum_run.run if quorum else simulation.run
    failures = 0
    started = time.monotonic()
    for count, seed in enumerate(seeds, 1):
        try:
            run(seed, steps)
        except AssertionError as error:
            failures += 1
            print(f"seed {seed}: {error}\n", flush=True)
            if failures == FAILURES_MAX:
                break
        if count % 100 == 0:
            seconds = time.monotonic() - started
            print(f"{count} seeds, {failures} failed, {seconds:.0f} s", flush=True)
    print(f"{seeds[0]} to {seed}: {failures} failed")
    return 1 if failures else 0


def seek(word: str, quorum: bool) -> int:
    """Look for seeds that notice planted mistakes; the exit status."""
    from tests.simulation.mutants import MUTANTS
    from tests.simulation.quorum.quorum_mutants import MUTANTS as QUORUM_MUTANTS
    from tests.simulation.seeking import first_notice

    mistakes: Dict[str, Any] = dict(QUORUM_MUTANTS) if quorum else dict(MUTANTS)
    run: Any = quorum_run.run if quorum else simulation.run
    missed = 0
    for name in [name for name in mistakes if word in name]:
        notice = first_notice(mistakes[name], run)
        missed += notice is None
        told = f"seed {notice.seed}, after {notice.tried} others" if notice else "NOT NOTICED"
        print(f"{name}: {told}", flush=True)
    return min(1, missed)


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status."""
    arguments = parse(argv)
    if arguments.seek is not None:
        return seek(arguments.seek, arguments.quorum)
    usual = quorum_run.STEPS if arguments.quorum else simulation.STEPS
    steps = usual if arguments.steps is None else arguments.steps
    if arguments.seed is not None:
        return run_one(arguments.seed, steps, arguments.trace, arguments.quorum)
    seeds = range(arguments.first, arguments.first + max(1, arguments.seeds))
    return run_many(seeds, steps, arguments.quorum)


if __name__ == "__main__":
    sys.exit(main())
