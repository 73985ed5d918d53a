"""How often calls were made of a daemon, by their histograms of seconds."""

from typing import Dict, NamedTuple, Sequence

from zookeeper.fabric.figures import CALL_SECONDS, CALL_TAG, CALLS_FAILED, Family


class CallCounts(NamedTuple):
    """By the names of calls; `seconds` are those of all together."""

    counts: Dict[str, float]
    seconds: Dict[str, float]
    failures: Dict[str, float]

    def made(self, name: str) -> int:
        """How often it was made."""
        return int(self.counts.get(name, 0))

    def worked(self, name: str) -> int:
        """How often it was made, and not refused."""
        return max(0, self.made(name) - int(self.failures.get(name, 0)))

    def mean_ms(self, name: str) -> float:
        """How long it took on average; 0 of none."""
        made = self.made(name)
        return 1000 * self.seconds.get(name, 0.0) / made if made else 0.0


def counts_of(families: Sequence[Family], name: str = CALL_SECONDS) -> CallCounts:
    """Those of a family of histograms; a sample without a tag has an empty name."""
    found = CallCounts({}, {}, {})
    for family in families:
        for sample in family.samples:
            key = dict(sample.tags).get(CALL_TAG, "")
            if family.name == name and sample.values:
                found.counts[key] = sum(sample.values[:-1])
                found.seconds[key] = sample.values[-1]
            elif family.name == CALLS_FAILED and sample.values:
                found.failures[key] = sample.values[0]
    return found
