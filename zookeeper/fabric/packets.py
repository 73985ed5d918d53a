"""The body of a call: packets on its connection's stream.

A *body* is a run of packets that travels inside a call, between its request and its reply:
`length, crc32, bytes` each, then an end mark of length 0 that says whether the body is whole.
Over a Unix socket a packet can be handed over with an open file beside it.
"""

import os
import struct
from typing import Optional, Tuple
from zlib import crc32

from zookeeper.fabric.errors import ProtocolViolation
from zookeeper.fabric.stream import Buffer, Stream

PACKET_BYTES_MAX = 1024 * 1024

_PACKET = struct.Struct("!II")
_PACKET_MARK = 1 << 31
"""Set in a packet's length, and never in a frame's: neither can be taken for the other."""
_END_WHOLE, _END_FAILED = 0, 1


class PacketWriter:
    """The sending side of a body."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.ended = False

    def send(self, data: Buffer, checksum: int) -> None:
        """One packet: 1 to PACKET_BYTES_MAX bytes and their CRC32."""
        self._stream.write_parts(_packet_head(len(data), checksum), data)

    def send_file(self, descriptor: int, offset: int, count: int, checksum: int) -> None:
        """One packet whose bytes come straight from a file."""
        self._stream.write_parts(_packet_head(count, checksum))
        self._stream.send_file(descriptor, offset, count)

    def hand_over(self, descriptor: int, data: Buffer) -> None:
        """One packet with an open file beside its bytes, over a Unix socket; see Stream."""
        head = _packet_head(len(data), crc32(data))
        self._stream.write_handing_over(descriptor, head, data)

    def interrupt(self) -> None:
        """From another thread: break the body off, whatever its sender is doing."""
        self._stream.interrupt()

    def end(self) -> None:
        """The body is whole."""
        self._finish(_END_WHOLE)

    def abort(self) -> None:
        """The body is not whole; the reply that follows says why."""
        self._finish(_END_FAILED)

    def _finish(self, mark: int) -> None:
        self.ended = True
        self._stream.write(_PACKET.pack(_PACKET_MARK, mark))


def _packet_head(count: int, checksum: int) -> bytes:
    assert 0 < count <= PACKET_BYTES_MAX, "an empty packet would be taken for the end"
    return _PACKET.pack(_PACKET_MARK | count, checksum)


class PacketReader:
    """The receiving side of a body."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.ended = False
        self.whole = False

    def receive(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The next packet's bytes, read into `buffer`, and the CRC32 that its sender computed.

        None after the end mark; `whole` then tells whether the sender had all of it. The CRC32
        is not verified here: the caller does it where the bytes are still in the cache.
        """
        return self._rest_of(self._stream.read(_PACKET.size), buffer)

    def receive_file(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The bytes of a packet that was handed over, and the open file beside them, which is the
        caller's to close; None after the end mark."""
        head, descriptor = self._stream.read_handed_over(_PACKET.size)
        packet = None
        try:
            packet = self._rest_of(head, buffer)
        finally:
            if packet is None and descriptor is not None:
                os.close(descriptor)
        if packet is None:
            return None
        if descriptor is None:
            self._stream.close()
            raise ProtocolViolation(f"{self._stream.peer} sent a packet without its file")
        return packet[0], descriptor

    def _rest_of(self, head: bytes, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        marked, checksum = _PACKET.unpack(head)
        length = marked ^ _PACKET_MARK
        if not length:
            self.ended, self.whole = True, checksum == _END_WHOLE
            return None
        if length > len(buffer):
            self._stream.close()
            raise ProtocolViolation(f"{self._stream.peer} sent something else than a packet")
        view = buffer[:length]
        self._stream.read_into(view)
        return view, checksum


def starts_packet(first: bytes) -> bool:
    """Whether a packet, not the frame of an early reply, starts with this byte."""
    return first >= b"\x80"
