"""What `text` unpacks, and what it calls damaged."""

import bz2
import gzip
import io
import zlib
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest

from data_service.shell.transfer import unpacking
from tests.support.disks.replicas import noise
from tests.support.terminal.shell import Shell

PACK: Dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "bz2": bz2.compress, "deflate": zlib.compress
}
each_kind = pytest.mark.parametrize("kind", sorted(PACK))
PIECES = [noise(50_000), b"", b"two\n", b"\0" * 3_000_000]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def unpack(shell: Shell, name: str, data: bytes) -> bytes:
    """What `text` makes of a file that it must be able to unpack."""
    shell.filesystem.write(f"/{name}", data)
    return shell.good("text", f"/{name}").encode("utf-8", "surrogateescape")


@each_kind
def test_all_streams_of_a_file(
    shell: Shell, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", 4099)
    packed = b"".join(map(PACK[kind], PIECES))
    assert unpack(shell, f"f.{kind}", packed) == b"".join(PIECES)
    assert unpack(shell, f"one.{kind}", PACK[kind](b"one\n")) == b"one\n"


@each_kind
def test_a_file_that_breaks_off_anywhere(shell: Shell, kind: str) -> None:
    whole = PACK[kind](noise(3000)) + PACK[kind](b"end")
    first = len(PACK[kind](noise(3000)))
    for length in range(2, len(whole), 131):
        if length != first:
            shell.filesystem.write(f"/f.{kind}", whole[:length])
            result = shell.run("text", f"/f.{kind}")
            assert result.status == 1 and f"text: `/f.{kind}': " in result.err, length


@each_kind
@pytest.mark.parametrize("rest", [b"x", b"garbage", b"\0\0x", b"\n"])
def test_something_else_behind_the_end(shell: Shell, kind: str, rest: bytes) -> None:
    shell.filesystem.write(f"/f.{kind}", PACK[kind](b"bytes") + rest)
    result = shell.run("text", f"/f.{kind}")
    assert (result.status, result.out) == (1, "bytes") and result.err


def test_a_tape_fills_gzip_up_with_zeros(shell: Shell) -> None:
    packed = gzip.compress(b"one ") + b"\0" * 1000
    assert unpack(shell, "f", packed + gzip.compress(b"two") + b"\0") == b"one two"


@each_kind
def test_a_damaged_byte(shell: Shell, kind: str) -> None:
    packed = bytearray(PACK[kind](noise(2000)))
    packed[len(packed) // 2] ^= 1
    shell.filesystem.write(f"/f.{kind}", bytes(packed))
    assert shell.run("text", f"/f.{kind}").status == 1


def test_what_is_not_packed(shell: Shell) -> None:
    for name, data in (("f", b"text"), ("f.gz", b""), ("f.bz2", b"x"), ("f.deflate", b"")):
        assert unpack(shell, name, data) == data
    for kind in PACK:
        shell.filesystem.write(f"/plain.{kind}", b"plain text")
        assert shell.run("text", f"/plain.{kind}").status == 1


@each_kind
def test_a_bomb_goes_off_in_small_pieces(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", 1 << 16)
    packed = PACK[kind](bytes(20_000_000))
    sizes: List[int] = []
    unpacker = unpacking.unpacker_of(f"f.{kind}", packed[:2])
    assert unpacker is not None
    unpacker(io.BytesIO(packed), lambda piece: sizes.append(len(piece)))
    assert sum(sizes) == 20_000_000 and max(sizes) <= 1 << 16
