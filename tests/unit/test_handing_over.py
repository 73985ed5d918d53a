"""Unix sockets: the same service for clients on this machine, and open files handed over them."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from tests.support.clusters.leaks import Leaks
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.loopback import ROLE, Loopback, Recorder, credentials_as, works
from tests.support.links.playground import BUFFER_BYTES
from zookeeper.fabric.auth import SECRET, SIMPLE
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    InternalError,
    InvalidArgument,
    PipelineFailed,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.sockets import dial, dial_here

CONTENT = b"what the file holds"


@pytest.fixture(name="loopback", params=[SIMPLE, SECRET])
def _loopback(request: pytest.FixtureRequest) -> Iterator[Loopback]:
    with Loopback(request.param, stall_timeout_seconds=PATIENCE_SECONDS) as loopback:
        yield loopback


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> str:
    (tmp_path / "file").write_bytes(CONTENT)
    return str(tmp_path / "file")


def handed(remote: Remote, path: str, times: int = 1) -> Tuple[bytes, int]:
    """The word and the open file that come back, once the body was taken to its end."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    body = remote.call_for_body("hand_over", path, b"word", times, timeout=PATIENCE_SECONDS)
    found = body.receive_file(buffer)
    assert found is not None
    data, descriptor = bytes(found[0]), found[1]
    packet = body.receive(buffer)
    assert packet is not None and bytes(packet[0]) == b"behind it" and packet[1] == 7
    assert body.receive(buffer) is None
    return data, descriptor


def test_an_open_file_arrives_with_its_word(loopback: Loopback, path: str) -> None:
    remote = loopback.remote(here=True)
    for times in (1, 1 << 18, 5):
        data, descriptor = handed(remote, path, times)
        assert data == b"word" * times
        assert os.pread(descriptor, 100, 0) == CONTENT
        os.close(descriptor)
    assert works(remote)


def test_the_file_can_only_be_read_and_stays_in_this_process(
    loopback: Loopback, path: str
) -> None:
    _, descriptor = handed(loopback.remote(here=True), path)
    try:
        with pytest.raises(OSError) as caught:
            os.write(descriptor, b"x")
        assert caught.value.errno == errno.EBADF
        with pytest.raises(OSError):
            os.ftruncate(descriptor, 0)
        # A program that this process starts does not get it.
        assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    finally:
        os.close(descriptor)


def test_a_file_that_is_removed_stays_readable(loopback: Loopback, path: str) -> None:
    _, descriptor = handed(loopback.remote(here=True), path)
    os.unlink(path)
    assert os.pread(descriptor, 100, 0) == CONTENT
    os.close(descriptor)


def test_a_client_here_comes_from_this_machine_and_is_who_he_is(loopback: Loopback) -> None:
    by_port = loopback.remote().call("principal", timeout=PATIENCE_SECONDS)
    here = loopback.remote(here=True).call("principal", timeout=PATIENCE_SECONDS)
    assert here == by_port == ("user:tester", "127.0.0.1")


def test_bodies_are_the_same_here(loopback: Loopback) -> None:
    remote = loopback.remote(here=True)
    body = remote.call_with_body("take", b"123", timeout=PATIENCE_SECONDS)
    body.send(bytes(1 << 18), 0)
    assert body.finish() == (3 + (1 << 18), True)
    assert works(remote)


def test_a_file_is_not_handed_over_a_network(loopback: Loopback, path: str) -> None:
    remote = loopback.remote()
    body = remote.call_for_body("hand_over", path, b"a word", 1, timeout=PATIENCE_SECONDS)
    with pytest.raises(InvalidArgument, match="over a network"):
        body.receive(memoryview(bytearray(100)))
    assert works(remote)
    with pytest.raises(InvalidArgument, match="over a network"):
        remote.call_for_body("give", 1, 1, timeout=PATIENCE_SECONDS).receive_file(
            memoryview(bytearray(100)))


def test_an_error_comes_in_the_place_of_a_file(loopback: Loopback, path: str) -> None:
    remote = loopback.remote(here=True)
    buffer = memoryview(bytearray(100))
    with pytest.raises(PipelineFailed):
        remote.call_for_body("give_some", 0, timeout=PATIENCE_SECONDS).receive_file(buffer)
    with Recorder(), pytest.raises(InternalError):
        remote.call_for_body("hand_over", f"{path}.not", b"", 1, timeout=PATIENCE_SECONDS
                             ).receive_file(buffer)
    assert works(remote)
    assert remote.call_for_body("give", 0, 0, timeout=PATIENCE_SECONDS).receive_file(buffer) is None
    with pytest.raises(InvalidArgument, match="no such method"):
        remote.call_for_body("nothing", timeout=PATIENCE_SECONDS).receive_file(buffer)


def test_a_packet_without_its_file_is_refused(loopback: Loopback) -> None:
    remote = loopback.remote(here=True)
    body = remote.call_for_body("give", 1, 50, timeout=PATIENCE_SECONDS)
    with pytest.raises(ProtocolViolation, match="without its file"):
        body.receive_file(memoryview(bytearray(100)))
    assert remote.closed


def test_a_file_that_nobody_takes_is_closed(loopback: Loopback, path: str) -> None:
    remote = loopback.remote(here=True)
    leaks = Leaks()
    for _ in range(5):
        body = remote.call_for_body("hand_over", path, b"word", 1, timeout=PATIENCE_SECONDS)
        packet = body.receive(memoryview(bytearray(100)))
        assert packet is not None and bytes(packet[0]) == b"word"
        while body.receive(memoryview(bytearray(100))) is not None:
            pass
    # One that comes with a word too long for the buffer is closed, too.
    body = remote.call_for_body("hand_over", path, b"word", 1000, timeout=PATIENCE_SECONDS)
    with pytest.raises(ProtocolViolation):
        body.receive_file(memoryview(bytearray(100)))
    leaks.await_none()


def test_a_mode_that_differs_is_refused_here_as_well(path: str) -> None:
    with Loopback(SECRET) as loopback:
        network = loopback.network
        stranger = credentials_as(SECRET, "user:tester", bytes(range(1, 33)))
        with pytest.raises(AuthenticationFailed):
            Remote.connect(ROLE, loopback.address, stranger, network, here=True)


def test_nobody_listens_after_a_stop_and_somebody_after_a_restart(path: str) -> None:
    leaks = Leaks()
    with Loopback() as loopback:
        assert works(loopback.remote(here=True))
        loopback.server.stop()
        with pytest.raises(Unavailable, match="on this machine"):
            loopback.remote(here=True)
        loopback.restart()
        assert works(loopback.remote(here=True))
    leaks.await_none()


def test_a_name_that_is_taken_leaves_the_port(path: str) -> None:
    with Loopback() as loopback:
        loopback.server.stop()
        with socket.socket(socket.AF_UNIX) as squatter:
            squatter.bind(f"\0pyhdfs/{ROLE}@{loopback.address}")
            with Recorder() as log:
                loopback.restart()
            assert any("server.not_here" in line for line in log.lines)
            assert works(loopback.remote())
            with pytest.raises(Unavailable):
                loopback.remote(here=True)


def test_a_name_is_free_once_its_process_was_killed() -> None:
    with Loopback() as loopback:
        loopback.server.stop()
        name = f"{ROLE}@{loopback.address}"
        script = ("from zookeeper.fabric.sockets import listen_here; "
                  f"held = listen_here({name!r}); print('ready', flush=True); input()")
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            process.kill()
        loopback.restart()
        assert works(loopback.remote(here=True))


def test_both_sides_know_which_user_serves() -> None:
    """Or another user could take the name and pass the handshake on, to wherever it is served."""
    with Loopback() as loopback:
        here = dial_here(f"{ROLE}@{loopback.address}", loopback.network, "server")
        there = dial(loopback.address, loopback.network, "server")
        assert here.binding == b"unix socket of user %d" % os.geteuid() and there.binding == b""
        here.close()
        there.close()
