"""What is sent without waiting for who does not read: it goes on its way by and by, whole."""

import socket
import threading
from pathlib import Path
from typing import Tuple

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.ends import LARGE, patient, with_tls
from zookeeper.fabric.errors import Unavailable
from zookeeper.fabric.stream import Stream, readable


def test_what_was_posted_goes_on_its_way_while_somebody_waits(
    streams: Tuple[Stream, Stream]
) -> None:
    """The peer gets all of it, in order, and whatever is written behind it."""
    stream, far = streams
    stream.post(b"head", LARGE)
    assert stream.unsent and not readable([stream], 0)

    def answer() -> None:
        assert far.read_by(4 + len(LARGE), patient()) == b"head" + LARGE
        far.write(b"!")
        assert far.read_by(5 + len(LARGE), patient()) == LARGE + b"again"
        far.write(b"?")

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    assert readable([stream], PATIENCE_SECONDS) == [stream]
    assert not stream.unsent and stream.read_by(1, patient()) == b"!"
    stream.post(LARGE)
    stream.write_by(patient(), b"again")
    assert not stream.unsent and stream.read_by(1, patient()) == b"?"
    answering.join(PATIENCE_SECONDS)
    assert not answering.is_alive()


def test_nothing_is_posted_behind_what_was_not_heard_to_the_end(
    streams: Tuple[Stream, Stream]
) -> None:
    stream, _ = streams
    stream.post(LARGE)
    with pytest.raises(Unavailable):
        stream.post(b"more")
    assert stream.closed


def test_a_small_message_is_one_record_of_tls(certified: Path) -> None:
    """Each has a checksum, and is encrypted and decrypted by itself."""
    stream, far = with_tls(certified)
    raw = socket.socket(fileno=far.detach())
    with raw:
        raw.settimeout(PATIENCE_SECONDS)
        stream.post(b"head", b"x" * 1000, b"\n")
        first = raw.recv(1 << 16)
        stream.close()
    assert len(first) == 5 + int.from_bytes(first[3:5], "big") > 1005
