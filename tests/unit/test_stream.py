"""Streams over real sockets: whole reads and writes, every wait with an end, packets."""

import errno
import os
import socket
import threading
import time
import zlib
from pathlib import Path
from typing import Callable, Iterator, Tuple

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.ends import LARGE, STALL_SECONDS, Ends, patient, plain, with_tls
from zookeeper.fabric import stream as stream_module
from zookeeper.fabric.errors import (
    CorruptData, DeadlineExceeded, DiskFailed, ProtocolViolation, Unavailable)
from zookeeper.fabric.packets import PACKET_BYTES_MAX, PacketReader, PacketWriter
from zookeeper.fabric.stream import Stream


@pytest.fixture(params=["plain", "tls"])
def ends(request: pytest.FixtureRequest, certified: Path) -> Iterator[Ends]:
    """A stream and the peer's socket."""
    stream, far = plain() if request.param == "plain" else with_tls(certified)
    yield stream, far
    stream.close()
    far.close()


def in_thread(target: Callable[..., object], *args: object) -> threading.Thread:
    """A running daemon thread."""
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("size", [1, 5, 70_000, len(LARGE)])
def test_reads_are_whole_however_the_bytes_come(ends: Ends, size: int) -> None:
    stream, far = ends
    sender = in_thread(far.sendall, LARGE[:size] * 2)
    assert stream.read_by(size, patient()) == LARGE[:size]
    assert stream.read(size) == LARGE[:size]
    sender.join()


def test_what_has_come_is_read_without_waiting_for_more(ends: Ends) -> None:
    stream, far = ends
    far.sendall(b"hello")
    view = memoryview(bytearray(5))
    assert sum(stream.read_some(part, patient()) for part in (view[:3], view[3:])) == 5
    assert view == b"hello" and not stream.poll(0)


def test_a_large_write_is_whole(ends: Ends) -> None:
    stream, far = ends
    writer = in_thread(stream.write_parts, b"head", LARGE, memoryview(b"tail"))
    data = bytearray()
    while len(data) < len(LARGE) + 8:
        data += far.recv(1 << 20)
    writer.join()
    assert data == b"head" + LARGE + b"tail"


def test_a_large_write_by_a_deadline_is_whole(ends: Ends) -> None:
    stream, far = ends
    writer = in_thread(stream.write_by, patient(), b"head", LARGE, memoryview(b"tail"))
    data = bytearray()
    while len(data) < len(LARGE) + 8:
        data += far.recv(1 << 16)
    writer.join()
    assert data == b"head" + LARGE + b"tail"
    assert not stream.closed


def test_nothing_is_read_from_a_silent_peer(ends: Ends) -> None:
    stream, _ = ends
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="the peer (stalled|did not answer)"):
        stream.read(1)
    assert time.monotonic() - started > STALL_SECONDS * 0.9
    assert stream.closed


def test_the_rest_of_a_half_read_is_not_waited_for_for_ever(ends: Ends) -> None:
    stream, far = ends
    far.sendall(b"12345")
    with pytest.raises(DeadlineExceeded):
        stream.read(10)
    assert stream.closed


def drip(far: socket.socket, until: threading.Event) -> None:
    """A byte now and then, so that each wait is short and the whole is long."""
    while not until.wait(STALL_SECONDS / 10):
        try:
            far.sendall(b".")
        except OSError:
            return


@pytest.mark.parametrize("count", [1000, 1_000_000])
def test_a_dripping_peer_is_cut(ends: Ends, count: int) -> None:
    stream, far = ends
    done = threading.Event()
    dripping = in_thread(drip, far, done)
    with pytest.raises(DeadlineExceeded):
        stream.read_into(memoryview(bytearray(count)))
    assert stream.closed
    done.set()
    dripping.join()


def test_a_deadline_holds_against_a_dripping_peer(ends: Ends) -> None:
    stream, far = ends
    done = threading.Event()
    dripping = in_thread(drip, far, done)
    with pytest.raises(DeadlineExceeded):
        stream.read_by(1_000_000, time.monotonic() + 0.2)
    assert stream.closed
    done.set()
    dripping.join()


def test_a_peer_that_reads_nothing_is_cut(ends: Ends) -> None:
    stream, _ = ends
    with pytest.raises(DeadlineExceeded):
        stream.write(LARGE)
    assert stream.closed


def test_a_deadline_holds_against_a_peer_that_reads_nothing(ends: Ends) -> None:
    stream, _ = ends
    with pytest.raises(DeadlineExceeded, match="reads too slowly"):
        stream.write_by(time.monotonic() + 0.05, LARGE)
    assert stream.closed


def test_the_end_is_told_from_silence(ends: Ends) -> None:
    stream, far = ends
    assert stream.peek(time.monotonic() + 0.01) == b""
    assert not stream.poll(0)
    far.sendall(b"ab")
    assert stream.peek(patient()) == b"a"
    assert stream.read(2) == b"ab"
    far.close()
    assert stream.poll(PATIENCE_SECONDS)
    with pytest.raises(Unavailable, match="closed the connection"):
        stream.read(1)


def test_a_reset_is_unavailable() -> None:
    stream, far = plain()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    far.close()
    stream.poll(PATIENCE_SECONDS)
    with pytest.raises(Unavailable, match="lost the connection"):
        stream.read(1)


def test_a_closed_stream_touches_no_descriptor(ends: Ends) -> None:
    stream, _ = ends
    stream.close()
    stream.close()
    # Its number belongs to somebody else now: neither wait for that one nor write to it.
    reader, writer = os.pipe()
    os.dup2(writer, stream.fileno())
    assert stream.poll(0)
    with pytest.raises(Unavailable, match="is closed"):
        stream.read_by(1, patient())
    with pytest.raises(Unavailable, match="is closed"):
        stream.write_by(patient(), b"x")
    with pytest.raises(Unavailable, match="is closed"):
        stream.send_file(0, 0, 1)
    for descriptor in {reader, writer, stream.fileno()}:
        os.close(descriptor)


@pytest.mark.parametrize("action", ["read_by", "read", "write"])
def test_another_thread_can_interrupt(ends: Ends, action: str) -> None:
    near, _ = ends
    raised = []

    def work() -> None:
        try:
            if action == "read_by":
                near.read_by(1, patient())
            elif action == "read":
                near.read(1)
            else:
                near.write_by(patient(), LARGE)
        except Unavailable as error:
            raised.append(error)

    worker = in_thread(work)
    near.interrupt()
    worker.join(PATIENCE_SECONDS)
    assert len(raised) == 1


def test_waits_longer_than_the_kernel_counts_are_allowed(ends: Ends) -> None:
    stream, far = ends
    far.sendall(b"x")
    assert stream.poll(3.0e8)
    assert stream.read_by(1, time.monotonic() + 3.0e8) == b"x"


def test_last_words_reach_a_peer_that_is_still_sending(ends: Ends) -> None:
    stream, far = ends
    sender = in_thread(far.sendall, LARGE)
    stream.write(b"no, thank you")
    lingering = in_thread(stream.linger_and_close, PATIENCE_SECONDS)
    sender.join()
    assert far.recv(100) == b"no, thank you"
    assert far.recv(100) == b""
    far.close()
    lingering.join()
    assert stream.closed


def test_lingering_ends_although_the_peer_goes_on(ends: Ends) -> None:
    stream, far = ends
    done = threading.Event()
    dripping = in_thread(drip, far, done)
    stream.linger_and_close(0.1)
    assert stream.closed
    done.set()
    dripping.join()


def test_packets_arrive_as_they_were_sent(streams: Tuple[Stream, Stream]) -> None:
    writer, reader = PacketWriter(streams[0]), PacketReader(streams[1])
    for data in (b"x", b"y" * 1000):
        writer.send(data, zlib.crc32(data))
    writer.end()
    assert writer.ended
    buffer = memoryview(bytearray(1000))
    for data in (b"x", b"y" * 1000):
        received = reader.receive(buffer)
        assert received is not None
        assert (bytes(received[0]), received[1]) == (data, zlib.crc32(data))
        assert not reader.ended
    assert reader.receive(buffer) is None
    assert (reader.ended, reader.whole) == (True, True)


def test_a_body_that_was_broken_off_is_not_whole(streams: Tuple[Stream, Stream]) -> None:
    PacketWriter(streams[0]).abort()
    reader = PacketReader(streams[1])
    assert reader.receive(memoryview(bytearray(1))) is None
    assert (reader.ended, reader.whole) == (True, False)


@pytest.mark.parametrize(
    "head",
    [
        b"\x80\x00\x00\x11\0\0\0\0",  # A byte more than the buffer has room for.
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\x00\x00\x00\x05\0\0\0\0",  # The beginning of a frame.
        b"\x00\x00\x00\x00\0\0\0\0",
    ],
)
def test_what_is_no_packet_is_not_read_as_one(ends: Ends, head: bytes) -> None:
    stream, far = ends
    far.sendall(head)
    with pytest.raises(ProtocolViolation):
        PacketReader(stream).receive(memoryview(bytearray(16)))
    assert stream.closed


@pytest.mark.parametrize("size", [0, PACKET_BYTES_MAX + 1])
def test_a_packet_that_nobody_could_read_is_not_sent(ends: Ends, size: int) -> None:
    with pytest.raises(AssertionError):
        PacketWriter(ends[0]).send(bytes(size), 0)


def test_a_file_is_sent_from_any_offset(streams: Tuple[Stream, Stream], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    reader = PacketReader(streams[1])
    with path.open("rb") as file:
        PacketWriter(streams[0]).send_file(file.fileno(), 7, 1000, 42)
    received = reader.receive(memoryview(bytearray(1000)))
    assert received is not None
    assert (bytes(received[0]), received[1]) == (LARGE[7:1007], 42)


def test_a_file_that_is_too_short_closes_the_stream(ends: Ends, tmp_path: Path) -> None:
    stream, _ = ends
    path = tmp_path / "file"
    path.write_bytes(b"short")
    with path.open("rb") as file, pytest.raises(CorruptData):
        stream.send_file(file.fileno(), 0, 6)
    assert stream.closed


def test_a_disk_that_cannot_read_is_not_taken_for_a_lost_peer(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for call in ("sendfile", "pread"):
        monkeypatch.setattr(stream_module.os, call, fail)
    with pytest.raises(DiskFailed):
        ends[0].send_file(0, 0, 1)
    assert ends[0].closed


def test_a_peer_that_does_not_read_a_file_is_cut(ends: Ends, tmp_path: Path) -> None:
    stream, _ = ends
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    with path.open("rb") as file, pytest.raises(DeadlineExceeded):
        stream.send_file(file.fileno(), 0, len(LARGE))
    assert stream.closed


def test_a_file_is_not_sent_for_ever_to_a_peer_that_sips(ends: Ends, tmp_path: Path) -> None:
    stream, far = ends
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    failed = []

    def send() -> None:
        with path.open("rb") as file:
            try:
                while True:
                    stream.send_file(file.fileno(), 0, PACKET_BYTES_MAX)
            except DeadlineExceeded as error:
                failed.append(error)

    sender = in_thread(send)
    wait_until(lambda: failed or not far.recv(1), what="the end of a slow transfer")
    sender.join()
    assert failed


def test_of_several_streams_those_are_found_that_can_be_read(certified: Path) -> None:
    (plain_one, far_plain), (tls_one, far_tls), (silent, far_silent) = [
        plain(), with_tls(certified), plain()]
    streams = [plain_one, tls_one, silent]
    assert stream_module.readable(streams, 0) == []
    began = time.monotonic()
    assert stream_module.readable(streams, 0.05) == [] and time.monotonic() - began >= 0.05
    in_thread(lambda: (time.sleep(0.02), far_tls.sendall(b"two bytes")))
    assert stream_module.readable(streams, PATIENCE_SECONDS) == [tls_one]
    assert tls_one.read(1) == b"t"
    assert stream_module.readable(streams, 0) == [tls_one], "what is decrypted already counts"
    far_silent.close()
    assert stream_module.readable(streams, PATIENCE_SECONDS) == [tls_one, silent], "so does an end"
    far_plain.sendall(b"x")
    plain_one.close()
    wait_until(lambda: stream_module.readable(streams, 0) == streams)
    for end in (*streams, far_plain, far_tls):
        end.close()
