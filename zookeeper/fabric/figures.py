"""What a process tells of itself in numbers: figures that say what they mean.

Theory of operation. Figures of one name are a family; its samples are told apart by tags, such as
which call it is about. A family carries its own meaning, so that who collects figures need not know
the processes that have them, and shows those of a newer release, too. Seconds are counted in
buckets: a mean would hide the few that are slow, and buckets of several processes can be added.
"""

from bisect import bisect_left
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from zookeeper.fabric.kinds import Label, Text

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
"""Kinds: what only grows, from 0 at the start of the process; what goes up and down; and values
that are counted by their size, which only grow in number."""

SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of buckets, of times that may be as short as a call, and as long as its deadline."""

SIZES = tuple([float(1 << power) for power in range(13)])
"""Upper bounds of buckets, of how many things were done at once."""

START_TIME = "process_start_time_seconds"
INFO = "pyhdfs_info"
"""Two that every process has; the second has its release as a tag."""

VERSION_TAG = "version"

CALL_SECONDS, CALLS_FAILED = "pyhdfs_call_seconds", "pyhdfs_calls_failed_total"
CALL_TAG = "call"
"""What every server has of its calls, and the tag that names one."""

Tags = Tuple[Tuple[Label, Text], ...]
"""Name and value of each."""


class Sample(NamedTuple):
    """One value of a family. That of a histogram are several: how many were in each bucket, in the
    last one those above all bounds, and behind these the sum of all."""

    tags: Tags
    values: Tuple[float, ...]


class Family(NamedTuple):
    """All samples of one name. A histogram's `bounds` are those of its buckets."""

    name: Label
    kind: Label
    meaning: Text
    samples: Tuple[Sample, ...]
    bounds: Tuple[float, ...] = ()


class Histogram:
    """Values counted by their size. Not thread-safe: who notes one holds a lock."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts: List[int] = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """There was one more of this size."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def sample(self, *tags: Tuple[str, str]) -> Sample:
        """It as a sample of a family with the same bounds."""
        return Sample(tags, (*self.counts, self.total))

    def __repr__(self) -> str:
        return f"<Histogram of {self.count}>"


def gauge(name: str, meaning: str, value: float) -> Family:
    """A family of one value that goes up and down."""
    return Family(name, GAUGE, meaning, (Sample((), (float(value),)),))


def counter(name: str, meaning: str, value: float) -> Family:
    """A family of one value that only grows."""
    return Family(name, COUNTER, meaning, (Sample((), (float(value),)),))


def tagged(kind: str, name: str, meaning: str, tag: str, values: Dict[str, float]) -> Family:
    """A family of one value for each value of a tag."""
    samples = [Sample(((tag, key),), (value,)) for key, value in sorted(values.items())]
    return Family(name, kind, meaning, tuple(samples))


def histogram(name: str, meaning: str, found: Histogram) -> Family:
    """A family of one histogram."""
    return Family(name, HISTOGRAM, meaning, (found.sample(),), found.bounds)


def value_in(families: Sequence[Family], name: str, default: float = 0.0) -> float:
    """The sum of all samples of a family, which is no histogram; `default` when there is none."""
    found = [sample.values[0] for one in families if one.name == name for sample in one.samples
             if sample.values]  # fmt: skip
    return sum(found) if found else default


def quantile(
    bounds: Sequence[float], counts: Sequence[float], part: float
) -> Optional[float]:
    """The value below which this part of all values is, as far as buckets tell; None of none."""
    wanted = part * sum(counts)
    if not wanted:
        return None
    below = 0.0
    for place, bound in enumerate(bounds):
        if below + counts[place] >= wanted:
            least = bounds[place - 1] if place else 0.0
            return least + (bound - least) * (wanted - below) / counts[place]
        below += counts[place]
    return bounds[-1]  # Or more; nobody knows how much.
