"""Calls that wait for one that leads no more: hung up on as soon as another is found to lead."""

import threading
import time
from typing import Dict, Iterator, List, Optional

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.loopback import ROLE, Loopback
from zookeeper.fabric import leader_probe as module
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.fabric.pools import LeaderPool
from zookeeper.fabric.remote import Remote


class Pair:
    """Two servers, of which the first is asked first, and a pool for them."""

    def __init__(self, first: Loopback, second: Loopback) -> None:
        self.first, self.second = first, second
        self.epochs: Dict[str, int] = {}
        self.refusal: Optional[DfsError] = None
        self.asked: List[str] = []
        self.pool = LeaderPool(
            ROLE, [first.address, second.address], first.credentials, first.network,
            epoch_of=self._epoch_of,
        )  # fmt: skip
        self.errors: List[DfsError] = []

    def _epoch_of(self, remote: Remote) -> int:
        self.asked.append(remote.peer)
        if self.refusal is not None:
            raise self.refusal
        return self.epochs.get(remote.peer, 0)

    def lead(self, which: Loopback, epoch: int) -> None:
        """From now on this one leads."""
        self.epochs[f"{ROLE} {which.address}"] = epoch

    def wait_there(self) -> threading.Thread:
        """Begin a call that waits at the first server, in a thread."""

        def wait() -> None:
            try:
                self.pool.call("wait", timeout=PATIENCE_SECONDS)
            except DfsError as error:
                self.errors.append(error)

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        return thread


@pytest.fixture(name="pair")
def _pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    with Loopback() as first, Loopback() as second:
        pair = Pair(first, second)
        first.stage.gate.clear()
        yield pair
        first.stage.gate.set()
        pair.pool.close()


def test_a_call_that_waits_elsewhere_fails_soon_and_the_next_one_asks_who_leads(
    pair: Pair,
) -> None:
    waiting = pair.wait_there()
    wait_until(lambda: len(pair.asked) > 3, what="looks at one that does not lead")
    assert not pair.errors and set(pair.asked) == {f"{ROLE} {pair.second.address}"}
    pair.lead(pair.second, 5)
    waiting.join(PATIENCE_SECONDS)
    assert [type(error) for error in pair.errors] == [Unavailable]
    assert pair.pool.call("echo", 1) == 1
    assert pair.pool._addresses[pair.pool._current] == pair.second.address


def test_one_that_led_in_a_later_epoch_is_waited_for(pair: Pair) -> None:
    """What is said by who does not know yet that he was replaced counts for nothing."""
    assert pair.pool._probe is not None
    pair.lead(pair.second, 5)
    pair.pool._probe._epochs[pair.first.address] = 6
    waiting = pair.wait_there()
    wait_until(lambda: len(pair.asked) > 5)
    pair.first.stage.gate.set()
    waiting.join(PATIENCE_SECONDS)
    assert not pair.errors


def test_who_cannot_be_asked_leads_nothing(pair: Pair) -> None:
    pair.refusal = Unavailable("of this test")
    waiting = pair.wait_there()
    wait_until(lambda: len(pair.asked) > 3)
    pair.first.stage.gate.set()
    waiting.join(PATIENCE_SECONDS)
    assert not pair.errors


def test_nobody_is_asked_about_a_call_that_is_answered_soon(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 1e6)
    looked: List[int] = []
    probe = pair.pool._probe
    assert probe is not None
    monkeypatch.setattr(probe, "_look", lambda: looked.append(1))
    pair.lead(pair.second, 5)
    waiting = pair.wait_there()
    wait_until(lambda: len(looked) > 3)
    pair.first.stage.gate.set()
    waiting.join(PATIENCE_SECONDS)
    assert not pair.asked and not pair.errors


def test_the_thread_ends_when_there_is_nothing_to_look_at(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_LOOKS", 2)
    probe = pair.pool._probe
    assert probe is not None
    for number in range(2):
        assert pair.pool.call("echo", number) == number
        assert repr(probe) == "<LeaderProbe of 0 calls>"
        wait_until(lambda: probe._thread is None, what="the end of the thread")


def test_a_call_is_hung_up_on_only_while_it_is_under_way(pair: Pair) -> None:
    """The connection of one that ended is another call's by then."""
    probe = pair.pool._probe
    assert probe is not None
    pair.first.stage.gate.set()
    pair.pool.call("wait")
    pair.lead(pair.second, 5)
    asked, seen = len(pair.asked), time.monotonic()
    wait_until(lambda: time.monotonic() - seen > 0.15)
    assert len(pair.asked) == asked and pair.pool.call("echo", 3) == 3


def test_with_one_server_there_is_nobody_else_to_ask() -> None:
    with Loopback() as served:
        pool = served.keep(
            LeaderPool(ROLE, [served.address], served.credentials, served.network,
                       epoch_of=lambda remote: 1)
        )  # fmt: skip
        assert pool._probe is None and pool.call("echo", 1) == 1
