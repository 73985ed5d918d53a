"""The watchdog: it ends who cannot decide anything any more, and nobody else."""

import threading
from typing import Iterator, List

import pytest

from data_service.namenode.leading import watchdog as module
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.watchdog import Watchdog
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import NotLeader


class Kennel:
    """A watchdog, the lock that it looks at, and what it did."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.deeds: List[str] = []
        self.causes: List[Exception] = []
        self.ending = Ending(self.causes.append)
        self.left = threading.Event()
        self.watchdog = Watchdog(self.lock, self.ending, self.release, self.leave)

    def release(self) -> None:
        """Let others lead."""
        self.deeds.append("release")

    def leave(self) -> None:
        """End."""
        self.deeds.append("leave")
        self.left.set()


@pytest.fixture(name="kennel")
def _kennel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kennel]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "PIECE_SECONDS", 0.01)
    kennel = Kennel()
    yield kennel
    kennel.ending.set(NotLeader("the end of the test"))


def test_who_holds_the_lock_for_ever_is_ended_and_others_may_lead(
    kennel: Kennel, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with kennel.lock:
        kennel.watchdog.start()
        assert kennel.left.wait(PATIENCE_SECONDS)
    assert kennel.deeds == ["release", "leave"] and kennel.ending.is_set
    assert "core.stuck" in caplog.text
    assert "test_who_holds_the_lock_for_ever" in capfd.readouterr().err, "what everybody did"


def test_a_lock_that_many_want_is_to_be_had(
    kennel: Kennel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it takes a while."""
    monkeypatch.setattr(module, "PIECES", 10_000)
    looks: List[bool] = []
    can_be_had = kennel.watchdog._can_be_had
    monkeypatch.setattr(
        kennel.watchdog, "_can_be_had", lambda: looks.append(can_be_had()) or looks[-1]
    )
    kennel.watchdog.start()
    for _ in range(3):
        with kennel.lock:
            seen = len(looks)
        wait_until(lambda: len(looks) > seen + 1)
    assert all(looks) and not kennel.deeds


def test_the_end_of_the_term_ends_it_also_while_it_waits(
    kennel: Kennel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECES", 10_000)
    with kennel.lock:
        kennel.watchdog.start()
        kennel.ending.set(NotLeader("over"))
        wait_until(lambda: "watchdog" not in [one.name for one in threading.enumerate()])
    assert not kennel.deeds


def test_a_release_that_fails_does_not_keep_it_here(
    kennel: Kennel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError("a defect")

    kennel.watchdog._release = fail
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with kennel.lock:
        kennel.watchdog.start()
        assert kennel.left.wait(PATIENCE_SECONDS)
    assert kennel.deeds == ["leave"]
