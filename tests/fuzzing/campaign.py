"""One attack: shots from a seed at all that a cluster listens with, and what came of them."""

import functools
import getpass
import time
from collections import Counter
from typing import Callable, Dict, List, NamedTuple, Optional

from tests.fuzzing.attacker import Attacker, Outcome
from tests.fuzzing.bystander import Bystander, Service
from tests.fuzzing.shots import MALLORY, Range, Shot
from tests.fuzzing.surroundings import Watch, changes, furnish, state_of
from tests.support.clusters.cluster import Cluster
from zookeeper.fabric.auth import SECRET
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import DATA_NODE, METADATA, NAME_NODE, ZOOKEEPER
from zookeeper.fabric.settings import Address, Settings, load

WARM_UP = 300
"""Shots after which the daemons have loaded and cached what they ever will: a baseline."""

_LOOK_EVERY = 50


class Found(Exception):
    """Something is wrong, and was seen after the shots from `first` to `last`."""

    def __init__(self, first: int, last: int, complaint: str) -> None:
        super().__init__(complaint)
        self.first, self.last = first, last


class Report(NamedTuple):
    """What an attack without findings was like."""

    shots: int
    seconds: float
    outcomes: Dict[str, int]
    service: Service
    grown: Dict[str, int]


class Campaign:
    """An attack on a cluster that runs; `say` is told of each shot when it is not None."""

    def __init__(
        self, cluster: Cluster, seed: int, say: Optional[Callable[[str], object]] = None
    ) -> None:
        self._cluster = cluster
        self._say = say
        self._settings = load(str(cluster.config))
        self._attacker = Attacker(
            addresses_of(self._settings),
            self._settings.network,
            functools.lru_cache(maxsize=None)(functools.partial(credentials_of, self._settings)),
        )
        secret = self._settings.security.mode == SECRET
        hellos = self._attacker.hellos(MALLORY)
        self._range = Range(seed, getpass.getuser(), hellos, secret)
        self._outcomes: "Counter[str]" = Counter()
        self._first = 0

    def run(self, first: int, count: int, seconds: float) -> Report:
        """Fire `count` shots from number `first` on, for so many seconds at most; raises Found."""
        with self._cluster.file_system() as file_system:
            furnish(file_system)
            before = state_of(file_system)
            watch = Watch(self._cluster)
            with Bystander(self._cluster.file_system) as bystander, self._attacker:
                started = time.monotonic()
                self._first = first
                last = first
                for last in range(first, first + count):
                    if time.monotonic() - started > seconds:
                        break
                    if last == first + WARM_UP:
                        watch.begin_again()
                    self._fire(last)
                    if (last + 1) % _LOOK_EVERY == 0:
                        self._require_none(last, watch.complaints() + bystander.failures)
                        self._first = last + 1
                taken = time.monotonic() - started
            self._first = first
            complaints = watch.complaints() + bystander.failures
            complaints += changes(before, state_of(file_system)) + watch.leftovers(taken)
            self._require_none(last, complaints)
        shots = last - first + 1
        return Report(shots, taken, dict(self._outcomes), bystander.service(), watch.grown())

    def _fire(self, number: int) -> None:
        shot = self._range.shot(number)
        try:
            outcome = self._attacker.fire(shot)
        except (DfsError, OSError) as error:
            outcome = Outcome("shut", f"nobody is let in: {error!r}")
        self._outcomes[outcome.what] += 1
        if self._say is not None:
            self._say(f"{number}: {describe(shot)}: {outcome.what}")
        if outcome.complaint:
            raise Found(number, number, f"{describe(shot)}: {outcome.complaint}")

    def _require_none(self, last: int, complaints: List[str]) -> None:
        if complaints:
            raise Found(self._first, last, "\n".join(complaints))


def describe(shot: Shot) -> str:
    """A shot in one line."""
    return f"{shot.principal} at {shot.server}: {shot.what}"


def addresses_of(settings: Settings) -> Dict[str, Address]:
    """The first server of each role."""
    return {
        ZOOKEEPER: settings.zookeeper.hosts[0],
        METADATA: settings.metadata.hosts[0],
        NAME_NODE: settings.name_node.hosts[0],
        DATA_NODE: settings.data_node.hosts[0],
    }
