"""Redundancy: what a number of replicas takes, and what it bears."""

import pytest

from data_service.protocol.redundancy import Redundancy, replicated


@pytest.mark.parametrize("replication, tolerates", [(1, 0), (2, 1), (3, 2), (512, 511)])
def test_all_replicas_but_one_may_be_lost(replication: int, tolerates: int) -> None:
    redundancy = replicated(replication)
    assert (redundancy.targets, redundancy.needed) == (replication, 1)
    assert redundancy.tolerates == tolerates


def test_every_replica_takes_its_space() -> None:
    assert replicated(3).space(100) == 300 and replicated(3).length(300) == 100
    assert replicated(1).space(7) == 7 and replicated(3).space(0) == 0


def test_a_directory_takes_none_and_bears_nothing() -> None:
    nothing = replicated(0)
    assert (nothing.space(100), nothing.needed, nothing.tolerates) == (0, 0, 0)


def test_equal_ones_are_one_object() -> None:
    assert replicated(3) is replicated(3) and replicated(3) == Redundancy(3)
