"""A disk is lost at any time, while members change and leaders die: by a seed, nothing is lost."""

import threading
import time
from random import Random
from typing import Iterator, List

import pytest

from metadata_service.leader import member_change
from metadata_service.leader.claiming import lead
from metadata_service.leader.members import Members
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.quorum_members import ListMember, ModelWays, chance
from zookeeper.fabric.errors import DfsError

SECONDS = 20.0
HOSTS = ("a:1", "b:1", "c:1")


@pytest.fixture(name="often", autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_change, "LOOK_SECONDS", 0.01)


class Walk:
    """Three members, a leader that is replaced, and who writes by whoever leads."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ways = ModelWays(*[ListMember(name) for name in "abc"])
        self.ways.fate = chance(seed, 0.08)
        self.leaders: List[Members] = []
        self.acknowledged: List[str] = []
        self._stop = threading.Event()
        self._writer = threading.Thread(target=self._write)

    def lead(self) -> Members:
        """Another leader; the one before hears of that by itself, or is gone."""
        if self.leaders and self.random.random() < 0.5:
            self.leaders[-1].close()
        owner = f"namenode:1 {len(self.leaders)}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                found = lead(self.ways, owner, 0, SECONDS, 1 << 20, 0.2)
                break
            except DfsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        self.leaders.append(found)
        return found

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            leader, line = self.leaders[-1], f"edit {number}"
            number += 1
            try:
                leader.append(leader.record.last.txid + 1, [line], 2.0)
                self.acknowledged.append(line)
            except DfsError:
                # Whether it is decided nobody knows; this leader may not go on behind it.
                leader.close()
                wait_until(lambda seen=leader: self.leaders[-1] is not seen or self._stop.is_set())

    def lose_a_disk(self) -> None:
        """One of the members loses everything; an empty disk takes its place, and fills itself."""
        address = self.random.choice(HOSTS)
        new = ListMember("d")
        with self.ways.lock:
            self.ways.members[address] = new
            others = [one for name, one in self.ways.members.items() if name != address]
        time.sleep(self.random.random() * 0.05)
        with self.ways.lock:
            source = max(others, key=lambda one: one.applied)
            new.pull(source)
            new.cluster_id, new.configuration = source.cluster_id, source.configuration

    def run(self) -> None:
        """Some deaths of leaders, and one of a disk among them."""
        self.lead()
        self._writer.start()
        deeds = [self.lead] * self.random.randrange(1, 4)
        deeds.insert(self.random.randrange(len(deeds) + 1), self.lose_a_disk)
        for deed in deeds:
            time.sleep(self.random.random() * 0.08)
            deed()
        self.lead()
        wait_until(lambda: self._is_whole(self._leader()) and len(self.acknowledged) > 3)
        self._stop.set()
        self._writer.join()

    def _leader(self) -> Members:
        """The last one, or another if the writer has given it up."""
        return self.lead() if self.leaders[-1].closed else self.leaders[-1]

    def _is_whole(self, leader: Members) -> bool:
        """Whether all who are there are members; as long as they are not, they catch up.

        And whether all have heard so: before, nobody leads when the disk that was lost and one of
        those who have heard are away.
        """
        with self.ways.lock:
            everybody = list(self.ways.members.values())
            best = max(everybody, key=lambda one: one.applied)
            for one in everybody:
                one.pull(best)
        heard = all(one.configuration == leader.configuration for one in everybody)
        return heard and leader.configuration.ids == {one.member_id for one in everybody}

    def close(self) -> None:
        """Nobody leads."""
        self._stop.set()
        for leader in self.leaders:
            leader.close()


@pytest.fixture(name="walk", params=range(8))
def _walk(request: pytest.FixtureRequest) -> Iterator[Walk]:
    made = Walk(request.param)
    yield made
    made.close()


def test_nothing_acknowledged_is_lost(walk: Walk) -> None:
    walk.run()
    walk.ways.fate = chance(0, 0.0)
    walk.ways.dead.add(walk.random.choice(HOSTS))
    last = walk.lead()
    record = [one for one in walk.ways.members.values()
              if len(one.lines) >= last.record.last.txid][0].lines
    found = [line for line in record if line in set(walk.acknowledged)]
    assert found == walk.acknowledged
