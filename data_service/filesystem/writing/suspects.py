"""Which datanodes the writer of a file stays away from after a failure."""

from typing import Dict, Set

from data_service.protocol.failures import broken_link
from zookeeper.fabric.errors import DfsError, Unavailable


class Suspects:
    """Datanodes that one file's writer stays away from.

    What the client sees itself, at the first datanode of a pipeline, is *proved*. What a datanode
    says of the one after it is hearsay: the *accused* is left out, and a datanode that accuses a
    second one is *doubted*, because a faulty node can blame its healthy neighbours until it is the
    only holder (HDFS-3875). When nobody is left to write to, hearsay is tested: first the accused
    are tried without the doubted one between, and at last the doubted ones themselves. Who did not
    answer may be in the middle of a restart, and can be *pardoned* after a while.
    """

    def __init__(self) -> None:
        self._proved: Set[str] = set()
        self._silent: Set[str] = set()
        self._accused: Set[str] = set()
        self._links: Dict[str, Set[str]] = {}
        self._doubted: Set[str] = set()

    @property
    def excluded(self) -> Set[str]:
        """The ids of all datanodes to stay away from."""
        return self._proved | self._accused | self._doubted

    def blame(self, error: DfsError, first: str) -> None:
        """A pipeline broke with `error`; `first` is its first datanode."""
        link = broken_link(error)
        if not link:
            self._proved.add(first)
            if isinstance(error, Unavailable):
                self._silent.add(first)
            else:
                self._silent.discard(first)
            return
        upstream, downstream = link
        self._accused.add(downstream)
        accused = self._links.setdefault(upstream, set())
        accused.add(downstream)
        # Several blocks may break at one link at a time, which is one event.
        if len(accused) > 1:
            self._doubted.add(upstream)

    def forgive(self) -> bool:
        """Nobody is left: give those another chance whom least speaks against; whether any."""
        if self._accused:
            self._accused.clear()
            return True
        forgiven = bool(self._doubted)
        self._doubted.clear()
        return forgiven

    def pardon(self) -> bool:
        """Nobody is left: try those again that did not answer; whether there ever were any."""
        self._proved -= self._silent
        return bool(self._silent)

    def __repr__(self) -> str:
        return f"<Suspects {sorted(self.excluded)}>"
