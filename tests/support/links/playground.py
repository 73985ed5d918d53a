"""A service to try everything on, with methods of every kind, good and bad."""

import threading
from typing import Any, List, Tuple

from zookeeper.fabric.calls import READS, TELLS, Calls, Receiving, Sending, call, serves
from zookeeper.fabric.errors import NotLeader, PathNotFound, PipelineFailed
from zookeeper.fabric.packets import PacketReader, PacketWriter
from zookeeper.fabric.rpc import Service

FRAME_BYTES_MAX = 1 << 16
BUFFER_BYTES = 1 << 20


class Stage:
    """What all instances of the service share with the test."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        """Released by each call of `wait` when it begins."""
        self.gate = threading.Event()
        """Lets calls of `wait` end."""
        self.seen: List[Any] = []
        """What the methods want the test to know, in order."""


class StageCalls(Calls):
    """Those of its calls that have a body, or wait."""

    @call(TELLS, waits=True)
    def wait_for_nothing(self) -> None:
        """Waits until nobody waits for the answer."""

    @call(TELLS)
    def take(self, start: bytes) -> Sending[Tuple[int, bool]]:
        """(bytes received, whether the sender had all of them)."""

    @call(TELLS)
    def take_and_refuse(self) -> Sending[None]:
        """Takes all of the body, then says no."""

    @call(TELLS)
    def refuse_body(self, after: int) -> Sending[None]:
        """Takes so many packets, then says no."""

    @call(TELLS)
    def ignore_body(self) -> Sending[str]:
        """A defect: answers without reading the body."""

    @call(READS)
    def give(self, count: int, size: int) -> Receiving:
        """So many packets of so many bytes."""

    @call(READS)
    def give_some(self, count: int) -> Receiving:
        """So many packets, then an error."""

    @call(READS)
    def hand_over(self, path: str, word: bytes, times: int) -> Receiving:
        """An open file, then a packet."""

    @call(READS)
    def give_file(self, path: str, size: int) -> Receiving:
        """One packet straight from a file."""


@serves(StageCalls)
class Playground(Service):
    """Methods of every kind, good and bad."""

    secret = "not for the wire"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def unexposed(self) -> str:
        """Public in Python, and not for clients."""
        return self.secret

    def exposed_echo(self, value: Any) -> Any:
        """The argument."""
        return value

    def exposed_principal(self) -> Tuple[str, str]:
        """Who is calling, from where."""
        return str(self.peer.principal), self.peer.host

    def exposed_wait(self) -> str:
        """Blocks until the test opens the gate."""
        self._stage.entered.release()
        self._stage.gate.wait()
        self._stage.seen.append("waited")
        return "waited"

    def wait_for_nothing(self) -> None:
        """Waits until nobody waits for the answer."""
        self._stage.entered.release()
        while not self.gone() and not self._stage.gate.wait(0.01):
            pass
        self._stage.seen.append("gone")

    def exposed_refuse(self, message: str) -> None:
        """An error of the family."""
        raise PathNotFound(message)

    def exposed_refuse_oddly(self) -> None:
        """An error whose message has a lone surrogate, and is long."""
        raise NotLeader("\udcff" + "x" * 1_000_000)

    def exposed_fail(self) -> int:
        """A defect in the body: a TypeError."""
        return len(7)  # type: ignore[arg-type]

    def exposed_crash(self) -> None:
        """A defect in the body: an error with details that are nobody's business."""
        raise KeyError(self.secret)

    def exposed_result(self, kind: str) -> Any:
        """A result that cannot cross."""
        return {
            "surrogate": "\udcff",
            "number": 10**5000,
            "large": b"x" * (FRAME_BYTES_MAX + 1),
            "list": [1],
            "dictionary": {"a": 1},
            "object": object(),
            "nested": (1, (2, [3])),
            "unexposed": self.unexposed,
        }[kind]

    def take(self, packets: PacketReader, start: bytes) -> Tuple[int, bool]:
        """(bytes received, whether the sender had all of them)."""
        self._stage.entered.release()
        buffer, total = memoryview(bytearray(BUFFER_BYTES)), len(start)
        while True:
            packet = packets.receive(buffer)
            if packet is None:
                return total, packets.whole
            total += len(packet[0])

    def take_and_refuse(self, packets: PacketReader) -> None:
        """Take all of the body, then say no."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while packets.receive(buffer) is not None:
            pass
        raise PipelineFailed("after all of it")

    def refuse_body(self, packets: PacketReader, after: int) -> None:
        """Take `after` packets, then say no."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        for _ in range(after):
            packets.receive(buffer)
        raise PipelineFailed(f"after {after} packets")

    def ignore_body(self, packets: PacketReader) -> str:
        """A defect: answers without reading the body."""
        return "ignored"

    def give(self, packets: PacketWriter, count: int, size: int) -> str:
        """`count` packets of `size` bytes, of value 0, 1, 2, … each."""
        for index in range(count):
            packets.send(bytes([index % 256]) * size, index)
        return "given"

    def give_some(self, packets: PacketWriter, count: int) -> None:
        """`count` packets, then an error."""
        for index in range(count):
            packets.send(b"x", index)
        raise PipelineFailed(f"after {count} packets")

    def hand_over(self, packets: PacketWriter, path: str, word: bytes, times: int) -> None:
        """The open file and the word, so often, then a packet, then the end."""
        with open(path, "rb") as file:
            packets.hand_over(file.fileno(), word * times)
        packets.send(b"behind it", 7)

    def give_file(self, packets: PacketWriter, path: str, size: int) -> None:
        """One packet of `size` bytes straight from a file."""
        with open(path, "rb") as file:
            packets.send_file(file.fileno(), 0, size, 0)
