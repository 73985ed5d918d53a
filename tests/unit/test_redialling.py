"""When a connection to a member is dialled anew, which was lost."""

import time
from typing import Iterator, List

import pytest

from metadata_service.leader.redialling import Redialling
from tests.support.clusters.waiting import wait_until
from tests.support.models.lettered_members import Quorum, write
from tests.support.models.quorum_members import ModelConnection


@pytest.fixture(name="quorum")
def _quorum() -> Iterator[Quorum]:
    made = Quorum(3)
    yield made
    made.close()


def test_who_is_lost_at_once_is_dialled_less_and_less_often() -> None:
    redialling, now, pauses = Redialling(), 5.0, []
    assert redialling.is_due(now), "nothing was dialled before"
    for _ in range(9):
        redialling.opened(now)
        now += 0.1
        left = redialling.seconds_left(now)
        assert not redialling.is_due(now + 0.9 * left) and redialling.is_due(now + left)
        pauses.append(left)
        now += left
    assert pauses[:3] == pytest.approx([0.01, 0.02, 0.04]) and pauses[-1] == pytest.approx(0.5)


def test_who_lasted_is_dialled_at_once() -> None:
    redialling, now = Redialling(), 5.0
    for _ in range(3):
        redialling.opened(now)
        assert not redialling.is_due(now)
        now += 9.0
    redialling.opened(now)
    assert redialling.is_due(now + 1.0) and redialling.seconds_left(now + 1.0) == 0.0


class ShortConnection(ModelConnection):
    """Ends as soon as it is idle."""

    def look(self) -> bool:
        """See ModelConnection."""
        if self._asked is None:
            self.close()
        return super().look()


def test_a_member_that_sheds_its_connections_is_not_dialled_all_the_time(quorum: Quorum) -> None:
    moments: List[float] = []
    dial = quorum.ways.dial

    def dial_one(address: str) -> ModelConnection:
        if address != "c:1":
            return dial(address)
        moments.append(time.monotonic())
        return ShortConnection(quorum.ways, address)

    quorum.ways.dial = dial_one  # type: ignore[method-assign]
    leader = quorum.lead()
    wait_until(lambda: len(moments) >= 12)
    assert moments[11] - moments[0] > 0.15, "at least as long as the pauses"
    write(leader, "abc")
    assert leader.decided == 3, "the others decide"
