"""Latencies by what the cluster did meanwhile: percentiles, goals, and the table of them. Pure."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

from scripts.benchmark.results import aligned, number

P99_GOAL_MS, MAX_GOAL_MS = 20.0, 100.0
"""What others may wait, at most, on a quiet machine."""

_HEAD = ("while", "seconds", "call", "calls", "failed", "p50", "p99", "max", "unit", "")
_NUMBERS = (1, 3, 4, 5, 6, 7)


class Latency(NamedTuple):
    """Milliseconds that calls of one kind took while something was done, and how many failed.

    `seconds` is how long it was done.
    """

    deed: str
    seconds: float
    call: str
    milliseconds: Tuple[float, ...]
    failed: int

    def percentile(self, share: float) -> float:
        """The least of the samples that `share` of all are not above; 0 when there are none."""
        ordered = sorted(self.milliseconds)
        # Rounded up, without the error of a float: the 99th of 100 is the 99th.
        rank = -(-round(share * 1000) * len(ordered) // 1000)
        return ordered[max(0, rank - 1)] if ordered else 0.0

    @property
    def is_met(self) -> bool:
        """Whether nobody waited too long, and none was refused."""
        slow = self.percentile(0.99) > P99_GOAL_MS or self.percentile(1) > MAX_GOAL_MS
        return not (slow or self.failed)

    def as_json(self) -> Dict[str, object]:
        """Plain values, for a program."""
        return {
            "while": self.deed,
            "seconds": self.seconds,
            "call": self.call,
            "p50_ms": self.percentile(0.5),
            "p99_ms": self.percentile(0.99),
            "max_ms": self.percentile(1),
            "calls": len(self.milliseconds),
            "failed": self.failed,
            "met": self.is_met,
        }


def table(latencies: Sequence[Latency]) -> str:
    """A line for each, for a person."""
    cells = [_HEAD] + [_cells(latency) for latency in latencies]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines: List[str] = [aligned(line, widths, _NUMBERS) for line in cells]
    goal = f"goal: p99 <= {P99_GOAL_MS:g} ms, max <= {MAX_GOAL_MS:g} ms, none failed"
    return "\n".join([*lines, goal])


def _cells(latency: Latency) -> Tuple[str, ...]:
    counts = (f"{len(latency.milliseconds):,}", f"{latency.failed:,}")
    known = (latency.deed, number(latency.seconds), latency.call, *counts)
    if not latency.milliseconds:
        return (*known, "", "", "", "", "" if latency.is_met else "NO")
    shares = tuple(number(latency.percentile(share)) for share in (0.5, 0.99, 1))
    return (*known, *shares, "ms", "yes" if latency.is_met else "NO")
