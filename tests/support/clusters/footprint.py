"""What a daemon holds of its machine, and whether it gave back what a flood has taken."""

from pathlib import Path
from typing import NamedTuple

from tests.support.clusters.cluster import Cluster


class Footprint(NamedTuple):
    """What a daemon holds; megabytes of memory."""

    memory: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, cluster: Cluster, role: str) -> "Footprint":
        """Of a daemon as of now."""
        process = Path(f"/proc/{cluster.daemons[role].pid}")
        lines = (line.partition(":") for line in process.joinpath("status").read_text().split("\n"))
        told = {key: value.split() for key, _, value in lines}
        descriptors = len(list(process.joinpath("fd").iterdir()))
        return cls(int(told["VmRSS"][0]) // 1024, int(told["Threads"][0]), descriptors)

    def is_back_at(self, before: "Footprint", kept: int = 0) -> bool:
        """Whether a flood has left nothing: a few connections of the honest come and go, and so
        many others are kept for use again."""
        return (
            self.memory <= before.memory + 60
            and self.threads <= before.threads + 8 + kept
            and self.descriptors <= before.descriptors + 12 + kept
        )
