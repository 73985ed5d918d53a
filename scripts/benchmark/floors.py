"""Floors: what bare files and sockets reach on this machine, written as well as Python can.

A hop stands where a datanode stands: a process of its own, reached over TCP on the loopback
interface, which puts what it takes into a file of its own. It knows no protocol, no checksum file,
no blocks and no namenode, so what the cluster needs beyond a floor is what the cluster costs. All
buffers are made before the bytes flow, and a piece is one system call in and one out.
"""

import os
import select
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Callable, List, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]

PIECE_BYTES = 128 * 1024
HOPS_MAX = 3

_TAKE, _GIVE, _ECHO = b"t", b"g", b"e"
_REQUEST = struct.Struct(f"!cQ{HOPS_MAX}H")
"""What is wanted, the bytes of the file, the ports of the hops after this one (0: none); of echoes,
how many are wanted."""
ECHO_BYTES = 100
_DONE = b"."
_HOST = "127.0.0.1"

Sink = Callable[[memoryview], object]


class Hops:
    """Processes that hand a file down a chain, and that send `source`; close them."""

    def __init__(self, python: str, folder: Path, source: Path) -> None:
        self._folder = folder
        self._ports: List[int] = []
        self._processes: List["subprocess.Popen[bytes]"] = []
        folder.mkdir()
        for index in range(HOPS_MAX):
            process = subprocess.Popen(
                [python, "-m", "scripts.benchmark.floors", str(folder / f"{index}"), str(source)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
            )
            self._processes.append(process)
            assert process.stdout is not None
            self._ports.append(int(process.stdout.readline()))

    def __enter__(self) -> "Hops":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes: each lives until its standard input ends."""
        for process in self._processes:
            process.communicate()

    def pipeline(self, path: Path, hops: int) -> float:
        """Seconds to send a file down `hops` processes until each has it on its disk."""
        piece = memoryview(bytearray(PIECE_BYTES))
        size = path.stat().st_size
        started = time.perf_counter()
        with _connected(self._ports[:hops], _TAKE, size) as connection:
            with open(path, "rb", buffering=0) as file:
                while True:
                    count = file.readinto(piece)
                    if not count:
                        break
                    connection.sendall(piece[:count])
            _await_done(connection)
        return time.perf_counter() - started

    def fetch(self, size: int, path: Optional[Path]) -> float:
        """Seconds to get `size` bytes of the source into a new file, or to nowhere (None)."""
        started = time.perf_counter()
        with _connected(self._ports[:1], _GIVE, size) as connection:
            if path is None:
                _receive(connection, size, [])
            else:
                with open(path, "xb", buffering=0) as file:
                    _receive(connection, size, [_writer(file.fileno())])
        return time.perf_counter() - started

    def round_trips(self, count: int) -> float:
        """Seconds of so many small requests, each sent when the one before was answered."""
        message = bytes(ECHO_BYTES)
        started = time.perf_counter()
        with _connected(self._ports[:1], _ECHO, count) as connection:
            for _ in range(count):
                connection.sendall(message)
                if len(connection.recv(ECHO_BYTES, socket.MSG_WAITALL)) != ECHO_BYTES:
                    raise ConnectionError("a hop ended before it answered")
        return time.perf_counter() - started

    def forget(self) -> None:
        """Remove what the hops took."""
        for path in self._folder.iterdir():
            path.unlink()


def copy_and_sync(source: Path, target: Path) -> float:
    """Seconds that `cp` and an fsync of the copy take; the copy is removed."""
    started = time.perf_counter()
    subprocess.run(["cp", str(source), str(target)], check=True)
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    seconds = time.perf_counter() - started
    os.close(descriptor)
    target.unlink()
    return seconds


def append_and_sync(path: Path, size: int, count: int) -> float:
    """Seconds to make `count` records of `size` bytes durable, one after the other."""
    data = bytes(size)
    with open(path, "xb", buffering=0) as file:
        started = time.perf_counter()
        for _ in range(count):
            file.write(data)
            os.fsync(file.fileno())
        seconds = time.perf_counter() - started
    path.unlink()
    return seconds


def _connected(ports: Sequence[int], wanted: bytes, size: int) -> socket.socket:
    """A connection to the first of `ports`, which has been told what is wanted."""
    connection = socket.create_connection((_HOST, ports[0]))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = list(ports[1:]) + [0] * HOPS_MAX
    connection.sendall(_REQUEST.pack(wanted, size, *rest[:HOPS_MAX]))
    return connection


def _receive(connection: socket.socket, size: int, sinks: Sequence[Sink]) -> None:
    """Take `size` bytes, and give each piece to every sink while it is in the cache."""
    buffer = memoryview(bytearray(PIECE_BYTES))
    left = size
    while left:
        piece = buffer[:left]
        if connection.recv_into(piece, 0, socket.MSG_WAITALL) != len(piece):
            raise ConnectionError("a hop ended in the middle of a file")
        for sink in sinks:
            sink(piece)
        left -= len(piece)


def _writer(descriptor: int) -> Sink:
    def write(piece: memoryview) -> None:
        if os.write(descriptor, piece) != len(piece):
            raise OSError("the disk is full")

    return write


def _await_done(connection: socket.socket) -> None:
    if connection.recv(1) != _DONE:
        raise ConnectionError("a hop ended before it had the file on its disk")


def _take(connection: socket.socket, size: int, ports: Sequence[int], path: str) -> None:
    with open(path, "xb", buffering=0) as file:
        sinks: List[Sink] = [zlib.crc32, _writer(file.fileno())]
        if not ports:
            _receive(connection, size, sinks)
            os.fsync(file.fileno())
        else:
            with _connected(ports, _TAKE, size) as downstream:
                _receive(connection, size, sinks + [downstream.sendall])
                os.fsync(file.fileno())
                _await_done(downstream)
    connection.sendall(_DONE)


def _give(connection: socket.socket, size: int, path: str) -> None:
    with open(path, "rb", buffering=0) as file:
        connection.sendfile(file, 0, size)


def _echo(connection: socket.socket, count: int) -> None:
    for _ in range(count):
        connection.sendall(connection.recv(ECHO_BYTES, socket.MSG_WAITALL))


def serve(prefix: str, source: str) -> None:
    """A hop: takes files under this prefix, gives `source`, until standard input ends."""
    taken = 0
    with socket.create_server((_HOST, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                request = connection.recv(_REQUEST.size, socket.MSG_WAITALL)
                wanted, size, *ports = _REQUEST.unpack(request)
                if wanted == _TAKE:
                    taken += 1
                    _take(connection, size, [p for p in ports if p], f"{prefix}.{taken}")
                elif wanted == _ECHO:
                    _echo(connection, size)
                else:
                    _give(connection, size, source)


if __name__ == "__main__":
    serve(*sys.argv[1:])
