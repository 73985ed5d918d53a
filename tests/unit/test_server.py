"""What the stop of a server does to whom."""

import socket
import threading
import time

import pytest

from tests.support.links.loopback import ROLE, Loopback, busy_caller, works
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import StartRefused, Unavailable
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.server import Server


def stop_in_thread(loopback: Loopback, drain_seconds: float) -> threading.Thread:
    """A stop that goes on while the test does."""
    thread = threading.Thread(target=loopback.server.stop, args=(drain_seconds,), daemon=True)
    thread.start()
    return thread


def refuses_to_dial(loopback: Loopback) -> bool:
    """Whether new clients are turned away by the operating system already."""
    try:
        loopback.remote().close()
    except Unavailable:
        return True
    return False


def test_a_stop_lets_running_calls_finish() -> None:
    with Loopback() as loopback:
        caller = busy_caller(loopback)
        stopping = stop_in_thread(loopback, PATIENCE_SECONDS)
        wait_until(lambda: refuses_to_dial(loopback), what="a closed door")
        assert stopping.is_alive()
        loopback.stage.gate.set()
        stopping.join(PATIENCE_SECONDS)
        assert caller.outcome() == "waited"
        assert repr(loopback.server) == f"<Server {ROLE}@{loopback.address}: 0 connections, 0 busy>"


def test_a_stop_closes_idle_connections_at_once_and_begins_no_call() -> None:
    with Loopback() as loopback:
        idle, silent, half = loopback.remote(), loopback.raw(), loopback.raw()
        half.send(b"\0\0\0\x50\0half a request")
        assert works(idle)
        caller = busy_caller(loopback)
        stopping = stop_in_thread(loopback, PATIENCE_SECONDS)
        assert silent.await_end() == b""
        assert half.await_end() == b""
        with pytest.raises(Unavailable):
            idle.call("echo", 1, timeout=PATIENCE_SECONDS)
        assert stopping.is_alive()
        loopback.stage.gate.set()
        stopping.join(PATIENCE_SECONDS)
        assert caller.outcome() == "waited"


def test_a_stop_does_not_wait_for_ever() -> None:
    with Loopback() as loopback:
        caller = busy_caller(loopback)
        loopback.server.stop(drain_seconds=0.1)
        # The method still runs and nobody can end it, but its client is free.
        assert type(caller.outcome()) is Unavailable
        assert loopback.stage.seen == []
        loopback.stage.gate.set()
        wait_until(lambda: loopback.stage.seen == ["waited"], what="the end of the method")


def test_a_stop_ends_a_body_that_does_not_come() -> None:
    with Loopback() as loopback:
        body = loopback.remote().call_with_body("take", b"", timeout=PATIENCE_SECONDS)
        loopback.stage.entered.acquire()
        loopback.server.stop(drain_seconds=0.1)
        with pytest.raises(Unavailable):
            while True:
                body.send(b"x", 0)


def test_a_stop_ends_a_reply_that_nobody_reads() -> None:
    with Loopback() as loopback:
        loopback.remote().call_for_body("give", 1000, 1 << 20, timeout=PATIENCE_SECONDS)
        wait_until(lambda: "1 busy" in repr(loopback.server), what="a busy server")
        loopback.server.stop(drain_seconds=0.1)
        wait_until(lambda: "0 connections" in repr(loopback.server), what="the end of the reply")


def test_a_server_may_be_stopped_twice_and_before_it_starts() -> None:
    with Loopback() as loopback:
        loopback.server.stop()
        loopback.server.stop()
        loopback.restart()
        assert works(loopback.remote())
        loopback.server.stop()
        loopback.server = loopback.make_server()
        loopback.server.stop()


def test_a_port_is_free_again_after_a_stop() -> None:
    with Loopback() as loopback:
        for _ in range(3):
            remote = loopback.remote()
            assert works(remote)
            with pytest.raises(StartRefused):
                loopback.make_server()
            loopback.server.stop()
            loopback.restart()


def test_a_service_may_stop_its_own_server() -> None:
    class Stopper(Service):
        """Stops the server that serves it."""

        def exposed_stop(self) -> str:
            """Called by a client, so the server waits for this very call, but not for long."""
            stopper.server.stop(drain_seconds=0.1)
            return "never seen"

    with Loopback() as stopper:
        stopper.server.stop()
        stopper.server = Server(
            f"{ROLE}@{stopper.address}", *stopper.address, Stopper,
            stopper.credentials, stopper.network,
        )  # fmt: skip
        stopper.server.start()
        with pytest.raises(Unavailable):
            stopper.remote().call("stop", timeout=PATIENCE_SECONDS)


def test_clients_that_come_and_go_during_a_stop_leave_nothing() -> None:
    with Loopback() as loopback:
        over = threading.Event()

        def come_and_go() -> None:
            while not over.is_set():
                try:
                    with socket.create_connection(loopback.address, PATIENCE_SECONDS) as visit:
                        visit.sendall(b"\0")
                except OSError:
                    time.sleep(0)

        visitors = [threading.Thread(target=come_and_go) for _ in range(3)]
        for visitor in visitors:
            visitor.start()
        for _ in range(5):
            loopback.server.stop(drain_seconds=0.1)
            assert "0 connections" in repr(loopback.server)
            loopback.restart()
            works(loopback.remote())
        over.set()
        for visitor in visitors:
            visitor.join(PATIENCE_SECONDS)
