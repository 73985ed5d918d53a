"""The coordinator against a real zookeeper in this process, over real connections."""

import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from tests.support.clusters.coordination import IMPATIENT, PATIENT, Told, World, coordinator_threads
from tests.support.clusters.waiting import wait_until
from tests.support.links.key_holder import holder
from zookeeper.coordinator import Coordinator
from zookeeper.fabric.settings import Address


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_it_registers_and_leaves(world: World) -> None:
    zookeeper = world.start_zookeeper()
    seen = world.watcher()
    seen.wait_for({})
    coordinator = world.coordinator("node-1")
    coordinator.register("/name_nodes/a", "1")
    assert not coordinator.connected
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    assert coordinator.connected
    assert repr(coordinator) == "<Coordinator node-1 connected, 1 znodes>"
    coordinator.stop()
    seen.wait_for({})
    assert not coordinator.connected
    assert "1 open, 0 znodes" in repr(zookeeper), "the goodbye frees at once, not by expiry"


def test_wishes_can_change_while_it_runs(world: World) -> None:
    world.start_zookeeper()
    seen, late = world.watcher(), Told()
    coordinator = world.coordinator("node-1")
    coordinator.start()
    coordinator.register("/name_nodes/a", "1")
    seen.wait_for({"/name_nodes/a": "1"})
    coordinator.register("/name_nodes/a", "2")
    coordinator.register("/name_nodes/b", "1")
    seen.wait_for({"/name_nodes/a": "2", "/name_nodes/b": "1"})
    coordinator.unregister("/name_nodes/a")
    seen.wait_for({"/name_nodes/b": "1"})
    coordinator.watch("/name_nodes", late)
    late.wait_for({"/name_nodes/b": "1"})


def test_it_may_start_before_the_zookeeper(world: World) -> None:
    seen = world.watcher()
    coordinator = world.coordinator("node-1")
    coordinator.register("/name_nodes/a", "1")
    coordinator.start()
    world.start_zookeeper()
    seen.wait_for({"/name_nodes/a": "1"})


def test_everything_comes_back_after_a_restart_of_the_zookeeper(world: World) -> None:
    world.start_zookeeper()
    seen = world.watcher()
    coordinator = world.coordinator("node-1")
    coordinator.register("/name_nodes/a", "1")
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    world.stop_zookeeper()
    wait_until(lambda: not coordinator.connected)
    zookeeper = world.start_zookeeper()
    wait_until(lambda: "2 open, 1 znodes" in repr(zookeeper))
    seen.wait_for({"/name_nodes/a": "1"})
    assert None not in seen.news, "the outage was shorter than the expiry"


def test_a_broken_connection_does_not_cost_the_session(world: World) -> None:
    zookeeper = world.start_zookeeper()
    seen, proxy = world.watcher(), world.proxy()
    coordinator = world.coordinator("node-1", Address(*proxy.address))
    coordinator.register("/name_nodes/a", "1")
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    for _ in range(3):
        made = proxy.connections_made
        proxy.reset()
        wait_until(lambda made=made: proxy.connections_made > made and coordinator.connected)
    assert seen.news[-1:] == [{"/name_nodes/a": "1"}] and seen.news.count({}) <= 1
    assert "<Sessions 2 open, 1 znodes>" in repr(zookeeper)


@pytest.mark.parametrize("failure", ["cut", "stall"])
def test_an_outage_is_told_once_it_is_longer_than_the_expiry(world: World, failure: str) -> None:
    world.intervals = IMPATIENT
    world.start_zookeeper()
    seen, proxy = Told(), world.proxy()
    coordinator = world.coordinator("node-1", Address(*proxy.address))
    coordinator.register("/name_nodes/a", "1")
    coordinator.watch("/name_nodes", seen)
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    began = time.monotonic()
    getattr(proxy, failure)()
    seen.wait_for(None)
    assert time.monotonic() - began > IMPATIENT["session_expiry_seconds"] / 2
    assert not coordinator.connected
    proxy.heal()
    seen.wait_for({"/name_nodes/a": "1"})
    assert seen.news.count(None) == 1


def test_a_zookeeper_that_was_never_reached_is_told_as_none(world: World) -> None:
    world.intervals = {"heartbeat_seconds": 0.2, "session_expiry_seconds": 0.4}
    world.watcher().wait_for(None)


def test_an_expired_session_is_replaced(world: World) -> None:
    world.intervals = IMPATIENT
    zookeeper = world.start_zookeeper()
    seen, proxy = world.watcher(), world.proxy()
    coordinator = world.coordinator("node-1", Address(*proxy.address))
    coordinator.register("/name_nodes/a", "1")
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    proxy.cut()
    seen.wait_for({})
    proxy.heal()
    seen.wait_for({"/name_nodes/a": "1"})
    assert "2 open" in repr(zookeeper)


def test_a_restarted_daemon_takes_over_from_its_dead_predecessor_at_once(world: World) -> None:
    world.start_zookeeper()
    seen, proxy = world.watcher(), world.proxy()
    old = world.coordinator("nn-1", Address(*proxy.address))
    old.register("/name_nodes/a", "1")
    old.start()
    seen.wait_for({"/name_nodes/a": "1"})
    proxy.cut()  # It cannot say goodbye, and its session has a minute left.
    began = time.monotonic()
    new = world.coordinator("nn-1")
    new.register("/name_nodes/a", "2")
    new.start()
    seen.wait_for({"/name_nodes/a": "2"})
    assert time.monotonic() - began < PATIENT["session_expiry_seconds"] / 2


def test_a_znode_of_another_owner_is_waited_for(world: World) -> None:
    world.start_zookeeper()
    seen = world.watcher()
    first, second = world.coordinator("node-1"), world.coordinator("node-2")
    first.register("/name_nodes/a", "1")
    first.start()
    seen.wait_for({"/name_nodes/a": "1"})
    second.register("/name_nodes/a", "2")
    second.register("/name_nodes/b", "2")
    second.start()
    seen.wait_for({"/name_nodes/a": "1", "/name_nodes/b": "2"})
    first.stop()
    seen.wait_for({"/name_nodes/a": "2", "/name_nodes/b": "2"})


def test_a_refused_wish_does_not_hinder_the_others(world: World) -> None:
    world.start_zookeeper()
    seen = world.watcher()
    coordinator = world.coordinator("node-1")
    coordinator.register("no path", "")
    coordinator.register("/name_nodes/a", "1")
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    coordinator.unregister("no path")
    coordinator.unregister("/name_nodes/a")
    seen.wait_for({})


def test_a_daemon_registers_with_every_zookeeper_and_one_that_is_out_of_reach_is_no_loss(
    world: World,
) -> None:
    world.start_zookeeper()
    seen, merged = world.watcher(), Told()
    nobody = Address("127.0.0.1", world.ports.take())
    coordinator = world.coordinator("node-1", nobody, world.address)
    coordinator.register("/name_nodes/a", "1")
    coordinator.watch("/name_nodes", merged)
    coordinator.start()
    seen.wait_for({"/name_nodes/a": "1"})
    merged.wait_for({"/name_nodes/a": "1"})
    assert coordinator.connected
    coordinator.unregister("/name_nodes/a")
    seen.wait_for({})
    merged.wait_for({})


def test_a_busy_or_failing_callback_costs_nothing(world: World) -> None:
    zookeeper = world.start_zookeeper()
    may_return, entered, calls = threading.Event(), threading.Event(), Told()

    def busy(_children: Optional[Dict[str, str]]) -> None:
        entered.set()
        may_return.wait()

    def failing(children: Optional[Dict[str, str]]) -> None:
        calls(children)
        raise RuntimeError("a defect of the owner")

    beats = count_calls(zookeeper._coordination, "heartbeat")
    coordinator = world.coordinator("node-1")
    coordinator.watch("/data_nodes", busy)
    coordinator.watch("/name_nodes", failing)
    coordinator.start()
    assert entered.wait(30)
    calls.wait_for({})
    seen = len(beats)
    wait_until(lambda: len(beats) >= seen + 3)
    coordinator.register("/name_nodes/a", "1")
    calls.wait_for({"/name_nodes/a": "1"})
    may_return.set()


def count_calls(target: Any, name: str) -> List[tuple]:
    """The arguments of every call of a method from now on."""
    calls: List[tuple] = []
    real: Callable[..., Any] = getattr(target, name)

    def counted(*args: Any) -> Any:
        calls.append(args)
        return real(*args)

    setattr(target, name, counted)
    return calls


@pytest.mark.parametrize("failure", ["none", "cut", "stall", "no zookeeper"])
def test_stop_ends_soon_whatever_the_zookeeper_does(world: World, failure: str) -> None:
    if failure != "no zookeeper":
        world.start_zookeeper()
    seen, proxy = Told(), world.proxy()
    coordinator = world.coordinator("node-1", Address(*proxy.address))
    coordinator.watch("/name_nodes", seen)
    coordinator.register("/name_nodes/a", "1")
    coordinator.start()
    if failure != "no zookeeper":
        seen.wait_for({"/name_nodes/a": "1"})
    if failure in ("cut", "stall"):
        getattr(proxy, failure)()
    began = time.monotonic()
    coordinator.stop()
    # It is to take STOP_SECONDS, which a busy machine stretches; what hangs waits for the session.
    assert time.monotonic() - began < PATIENT["session_expiry_seconds"] / 2
    assert not coordinator_threads()
    coordinator.stop()


def test_stop_before_start_is_fine(world: World) -> None:
    coordinator = world.coordinator("node-1")
    coordinator.watch("/name_nodes", Told())
    coordinator.stop()
    assert not coordinator.connected


def test_a_callback_may_stop_its_coordinator(world: World) -> None:
    world.start_zookeeper()
    stopped = threading.Event()
    coordinator = world.coordinator("node-1")

    def stop(_children: Optional[Dict[str, str]]) -> None:
        coordinator.stop()
        stopped.set()

    coordinator.watch("/name_nodes", stop)
    coordinator.start()
    assert stopped.wait(30)


def test_a_refused_handshake_is_tried_again(world: World) -> None:
    zookeeper = world.start_zookeeper()
    before = repr(zookeeper)
    other_mode = holder(b"k" * 32, "node-1")
    stranger = Coordinator("node-1", world.settings(), other_mode)
    world.coordinators.append(stranger)
    stranger.register("/name_nodes/a", "1")
    dials = count_calls(stranger._sessions[0].link, "_dial")
    stranger.start()
    wait_until(lambda: len(dials) >= 3)
    assert not stranger.connected and repr(zookeeper) == before
