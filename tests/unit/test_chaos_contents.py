"""What a trial writes is told apart wherever its bytes can be, however long a trial lasts."""

import json

import pytest

from tests.chaos.contents import Contents

SIZES = [0, 1, 3, 8, 1000]


def test_every_content_is_known_by_its_bytes() -> None:
    contents = Contents(SIZES)
    pieces = [contents.new() for _ in range(2000)]
    for piece in pieces:
        key = contents.piece(piece)
        assert key == contents.key_of(contents.data(piece))
        assert contents.bytes_of(key) == contents.data(piece)
        assert contents.length(key) == SIZES[piece % len(SIZES)] == len(contents.data(piece))
    # Of 400 pieces of one byte there are at most 256 contents: none is taken for another.
    assert len({contents.piece(piece) for piece in pieces}) == len(
        {contents.data(piece) for piece in pieces}
    )
    long = {contents.piece(piece) for piece in pieces if piece % len(SIZES) > 2}
    assert len(long) == 800, "whoever has room for a number has one of its own"


def test_some_bytes_are_some_bytes() -> None:
    contents = Contents(SIZES)
    assert all(contents.data(contents.new(some=True)) for _ in range(20))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 1007, 1008])
def test_contents_are_joined_and_cut_as_bytes_are(length: int) -> None:
    contents = Contents(SIZES)
    keys = [contents.piece(number) for number in (3, 4, 5, 9)]
    whole = b"".join(map(contents.bytes_of, keys))
    joined = contents.joined(*keys)
    assert contents.bytes_of(joined) == whole and joined == contents.key_of(whole)
    cut = contents.cut(joined, length)
    assert contents.bytes_of(cut) == whole[:length] and cut == contents.key_of(whole[:length])
    again = contents.joined(cut, contents.piece(8))
    assert contents.bytes_of(again) == whole[:length] + contents.data(8)
    assert contents.joined(*keys) == joined and contents.cut(joined, length) == cut


def test_what_was_judged_is_forgotten_and_what_is_left_goes_on() -> None:
    contents = Contents(SIZES)
    kept, gone = contents.joined(contents.piece(4), contents.piece(3)), contents.piece(9)
    contents.forget_all_but({kept, "7:unknown"})
    assert contents.describe(gone) == "nobody wrote it"
    assert contents.describe(kept) == "piece 4, piece 3"
    assert contents.describe(contents.cut(kept, 5)) == "piece 4 up to byte 5"
    other = Contents(SIZES)
    other.remember(json.loads(json.dumps(contents.recipes())))
    assert other.bytes_of(kept) == contents.bytes_of(kept)
