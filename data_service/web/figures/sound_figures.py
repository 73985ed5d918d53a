"""What is taken in of the figures that a daemon tells: those that are figures.

A daemon that is damaged, of another release, or in wrong hands, may tell anything. It may lie of
itself; but what nobody could show must not keep the figures of all others from being shown.
"""

from math import isfinite
from typing import Dict, Iterable, List, Tuple

from zookeeper.fabric.figures import COUNTER, GAUGE, HISTOGRAM, Family, Sample

SAMPLES_MAX = 5000
"""Of one daemon: what it tells beyond them is left out. A datanode of twenty disks has 300."""

ROLE_TAG, DAEMON_TAG = "role", "daemon"
"""By which this gateway tells whose figures they are."""


def sound(families: Iterable[Family]) -> Tuple[Family, ...]:
    """These without what is of no known kind, is no number, or is told twice."""
    found: Dict[str, Family] = {}
    left = SAMPLES_MAX
    for family in families:
        if family.name not in found and _makes_sense(family):
            samples = _sound_samples(family)[:left]
            left -= len(samples)
            found[family.name] = family._replace(samples=tuple(samples))
    return tuple(found.values())


def _makes_sense(family: Family) -> bool:
    bounds = family.bounds
    if family.kind != HISTOGRAM:
        return family.kind in (COUNTER, GAUGE) and not bounds
    return all(map(isfinite, bounds)) and all(a < b for a, b in zip(bounds, bounds[1:]))


def _sound_samples(family: Family) -> List[Sample]:
    wanted = len(family.bounds) + 2 if family.kind == HISTOGRAM else 1
    samples = {
        sample.tags: sample
        for sample in family.samples
        if len(sample.values) == wanted and all(map(isfinite, sample.values))
        and _tells_apart(sample)
    }  # fmt: skip
    return list(samples.values())


def _tells_apart(sample: Sample) -> bool:
    """Whether its tags have names of their own."""
    names = [ROLE_TAG, DAEMON_TAG, *(name for name, _ in sample.tags)]
    return len(set(names)) == len(names)
