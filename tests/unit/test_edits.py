"""Edits: the same text everywhere, and nothing odd comes in."""

import json
from typing import Any, List

import pytest

from metadata_service import edits
from metadata_service.edits import (
    TABLES,
    Edit,
    checksum,
    decode,
    decode_rows,
    encode,
    encode_row,
    join_lines,
    split_lines,
)
from tests.support.models.sample_edits import file_edit, file_edits, inode_row, lines_of
from zookeeper.fabric.errors import ProtocolViolation

NAMES = [
    "plain", "a b", "é", "日本", "\U0001f600", 'quo"te', "back\\slash", "line\nbreak", "\x00", "",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_comes_back_as_it_went(name: str) -> None:
    edit = file_edit(9, name)
    line = encode(edit)
    assert line.isascii() and "\n" not in line
    assert decode(line) == edit
    assert encode(decode(line)) == line, "a standby that encodes again must get the same text"


def test_an_edit_reads_well_in_the_database() -> None:
    edit = Edit(7, "rename", "c1", 3, "true", (("deleted_blocks", 5, (5, 1)), ("blocks", 5, None)))
    assert encode(edit) == (
        '[7,"rename","c1",3,"true",[["deleted_blocks",5,[5,1]],["blocks",5,null]],0,""]'
    )


def test_an_edit_that_was_recorded_without_time_and_digest_is_read() -> None:
    old = decode('[7,"rename","c1",3,"true",[["deleted_blocks",5,[5,1]]]]')
    assert (old.txid, old.wall_ms, old.digest) == (7, 0, "")
    new = decode('[7,"rename","c1",3,"true",[["deleted_blocks",5,[5,1]]],1700000000000,"ab"]')
    assert new == old._replace(wall_ms=1_700_000_000_000, digest="ab")
    for tail in ("[7]", "1,2", '"a","b"', '1,"a",3', "1.5,null"):
        with pytest.raises(ProtocolViolation):
            decode(f'[7,"rename","c1",3,"true",[],{tail}]')


def test_every_table_accepts_its_row_and_none_of_the_wrong_shape() -> None:
    for table in TABLES.values():
        row: List[Any] = [1 if column.kind is int else "x" for column in table.columns]
        assert table.accepts(row)
        assert not table.accepts(row[:-1]) and not table.accepts(row + [1])
        for index, column in enumerate(table.columns):
            for value in (None, True, 1.0, b"x", "x" if column.kind is int else 1):
                changed = row[:index] + [value] + row[index + 1 :]
                assert table.accepts(changed) == (value is None and column.optional), column


def test_the_tables_are_these() -> None:
    """The layout on disk and between processes: a change needs a new layout version."""
    assert [repr(table) for table in TABLES.values()] == [
        "<Table inodes(id, parent, name, kind, owner, grp, mode, mtime_ms, atime_ms, replication, "
        "block_size, name_quota, space_quota)>",
        "<Table blocks(id, generation, length, inode, position)>",
        "<Table deleted_blocks(id, generation)>",
        "<Table digests(id, digest)>",
        "<Table counters(name, value)>",
        "<Table delegations(id, owner, renewer, proxy, issued_ms, max_ms, proved_at, key_id, "
        "expires_ms)>",
    ]


GOOD: List[Any] = [1, "mkdir", "c", 1, "null", [["deleted_blocks", 5, [5, 1]]]]


def test_the_model_of_the_malformed_ones_is_well_formed() -> None:
    assert decode(json.dumps(GOOD)).txid == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "null", "7", '"abcdef"', "[]", "[[]]", "nonsense", "[" * 100_000, "[1,2,3,4,5,6]",
        json.dumps(GOOD[:-1]),
        json.dumps(GOOD + [1]),
        json.dumps([True] + GOOD[1:]),
        json.dumps([1.0] + GOOD[1:]),
        json.dumps(GOOD[:4] + [None] + GOOD[5:]),
        json.dumps(GOOD[:5] + [{}]),
        json.dumps(GOOD[:5] + [["deleted_blocks"]]),
        json.dumps(GOOD) + "]",
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_text_that_is_no_edit_is_refused(text: str) -> None:
    with pytest.raises(ProtocolViolation):
        decode(text)


def test_without_an_encoder_in_c_the_text_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checksums on the disk are those of this text, whichever Python made it."""
    values = [*map(file_edit, range(5)), *NAMES, (1, None, True, 0.5, -(2**63), NAMES), [], ()]
    one = [encode_row(value) for value in values]  # type: ignore[arg-type]
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    plain = edits._encoder()
    assert [plain(value) for value in values] == one
    for encode_json in (encode_row, plain):
        with pytest.raises(TypeError):
            encode_json((b"bytes",))


@pytest.mark.parametrize(
    "change",
    [
        ["no_such_table", 5, [5, 1]],
        ["sqlite_master", 5, None],
        [["blocks"], 5, None],
        [{}, 5, None],
        ["deleted_blocks", "5", None],
        ["deleted_blocks", None, None],
        ["deleted_blocks", 6, [5, 1]],
        ["deleted_blocks", 5, [5]],
        ["deleted_blocks", 5, [5, 1, 1]],
        ["deleted_blocks", 5, [5, "1"]],
        ["deleted_blocks", 5, [5, None]],
        ["deleted_blocks", 5, {"id": 5}],
        ["deleted_blocks", 5, "51"],
        ["deleted_blocks", True, [True, 1]],
        ["deleted_blocks", 5, [5, 1], 0],
        ["deleted_blocks", 5],
        ["counters", 5, [5, 1]],
        5,
        "abc",
    ],
    ids=str,
)
def test_a_change_that_fits_no_table_is_refused(change: Any) -> None:
    with pytest.raises(ProtocolViolation):
        decode(json.dumps(GOOD[:5] + [[change]]))


def test_lines_keep_every_edit_apart() -> None:
    lines = lines_of(file_edits(1, 20) + [file_edit(21, "line\nbreak")])
    assert split_lines(join_lines(lines)) == lines
    assert split_lines(b"") == [] and join_lines([]) == b""
    with pytest.raises(ProtocolViolation):
        split_lines("é".encode("utf-8"))


def test_rows_come_back_as_they_went() -> None:
    rows = [inode_row(7, name) for name in NAMES]
    assert decode_rows(join_lines(map(encode_row, rows))) == rows
    assert decode_rows(b"") == []


@pytest.mark.parametrize("payload", [b"1", b"[1]\n[", b"[1],2", b"null", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_rows_are_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode_rows(payload)


def test_a_checksum_is_the_same_on_every_machine_and_for_ever() -> None:
    assert checksum(encode_row((5, 1))) == checksum("[5,1]") == 2898564139
    assert checksum(encode_row((5, 1))) != checksum(encode_row((5, 3)))
