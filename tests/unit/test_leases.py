"""Leases: one writer a place, two limits, and no lease ended by our own lateness."""

from typing import Any

import pytest

from data_service.namenode.writers.leases import Leases, Place
from zookeeper.fabric.errors import LeaseExpired

A = Place(1, ("a",))
B = Place(1, ("b", "c"))


@pytest.fixture(name="leases")
def fixture_leases() -> Any:
    """Limits of 10 and 30 seconds, rounds of at most 5; checked at the end."""
    leases = Leases(10.0, 30.0, 5.0)
    yield leases
    leases.check()


def rounds(leases: Leases, first: int, last: int) -> list:
    """One round a second, from `first` to `last`; the files that were named."""
    return [file for second in range(first, last + 1) for file in leases.expired(float(second))]


def test_a_place_has_one_writer(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    assert leases.writer(A) == 7 and leases.holder(7) == "x" and leases.place(7) == A
    with pytest.raises(AssertionError):
        leases.take("y", 8, A, 0.0)
    leases.release(7)
    assert leases.writer(A) is None and len(leases) == 0
    with pytest.raises(LeaseExpired):
        leases.holder(7)
    leases.take("y", 8, A, 0.0)
    assert repr(leases) == "<Leases of 1 clients on 1 files>"


def test_renewal_is_for_all_files_of_a_client(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    leases.take("x", 8, B, 1.0)
    assert leases.renew("x", 20.0) and not leases.renew("y", 20.0)
    assert rounds(leases, 0, 50) == []
    assert leases.expired(50.5) == [7, 8]
    # They stay until somebody has done what ends them.
    assert leases.holder(7) == "x"
    leases.release(7)
    leases.release(8)
    assert not leases.renew("x", 51.0)


def test_the_soft_limit(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    assert rounds(leases, 0, 10) == []
    assert not leases.is_overdue("x", 10.0)
    assert leases.is_overdue("x", 10.5)
    leases.renew("x", 10.6)
    assert not leases.is_overdue("x", 12.0)


def test_only_silent_clients_lose_their_leases(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    leases.take("y", 8, B, 0.0)
    leases.renew("x", 5.0)
    assert rounds(leases, 0, 30) == []
    assert leases.expired(31.0) == [8]


def test_a_late_round_ends_nobody(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    assert rounds(leases, 0, 9) == []
    # The process was stopped for a quarter of an hour: nobody could renew.
    assert not leases.is_overdue("x", 909.0)
    assert leases.expired(909.0) == []
    assert not leases.is_overdue("x", 909.5) and leases.is_overdue("x", 911.0)
    assert rounds(leases, 910, 930) == []
    assert leases.expired(930.5) == [7]


def test_lost_time_makes_nobody_younger_than_now(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    leases.expired(0.0)
    leases.renew("x", 100.0)
    assert leases.expired(100.0) == []
    assert rounds(leases, 101, 130) == []
    assert leases.expired(130.5) == [7]


def test_a_place_moves_below_a_new_directory(leases: Leases) -> None:
    leases.take("x", 7, B, 0.0)
    assert leases.files_through(1, B.names[0]) == [7]
    leases.move(7, Place(5, ("c",)))
    assert leases.writer(B) is None and leases.writer(Place(5, ("c",))) == 7
    assert leases.files_through(1, B.names[0]) == [] and leases.files_through(5, "c") == [7]


def test_a_late_round_names_nobody_whatever_came_before(leases: Leases) -> None:
    leases.take("x", 7, A, 0.0)
    assert rounds(leases, 0, 31) == [7]
    assert leases.expired(100.0) == []
    assert leases.expired(101.0) == [7]
