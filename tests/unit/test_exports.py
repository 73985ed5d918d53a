"""The image of a member at one place, read page by page while edits come in."""

from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from metadata_service import exporting
from metadata_service.edits import TABLES
from metadata_service.exporting import ExportedImage
from metadata_service.record.exports import (
    EXPORTS_MAX,
    EXPORTS_OF_ONE,
    IDLE_SECONDS,
    SECONDS_MAX,
)
from metadata_service.record.metadata_db import MetadataDatabase
from tests.support.models.record_leader import lead
from tests.support.models.sample_edits import Image, file_edits, image_after
from tests.support.models.still_member import StillMember
from zookeeper.fabric.errors import Busy, CorruptData, InvalidArgument, SessionExpired

EDITS = 20


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="member")
def _member(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[StillMember]:
    monkeypatch.setattr(exporting, "PAGE_ROWS", 3)
    database = MetadataDatabase.open(str(tmp_path), 1000)
    lead(database, "test")
    member = StillMember(database, clock)
    member.add(EDITS)
    yield member
    database.close()


def read(image: ExportedImage) -> Image:
    """All rows, by table and key."""
    found: Dict[str, Dict[Any, Any]] = {name: {} for name in TABLES}
    for page in image.pages():
        found[page.table.name].update({row[0]: row for row in page.rows})
    return found


def test_an_image_is_of_one_place_while_edits_come_in(member: StillMember) -> None:
    member.before = lambda: member.add(1)
    with ExportedImage(member.calls) as image:
        assert image.place.txid == EDITS
        found = read(image)
        assert member.still and member.waiting > 10
        image.finish()
    expected = image_after(file_edits(1, EDITS))
    assert found == expected and image.count == sum(map(len, expected.values()))
    assert not member.still and not member.waiting


def test_two_readers_have_the_same_image_and_only_the_last_one_lets_it_go_on(
    member: StillMember,
) -> None:
    with ExportedImage(member.calls) as first:
        member.add(5)
        with ExportedImage(member.calls) as second:
            member.add(5)
            assert read(first) == read(second) and first.place == second.place
            assert first.finish() and member.still
            assert second.finish() and not member.still


def test_the_newest_edits_come_with_it(member: StillMember) -> None:
    with ExportedImage(member.calls) as image:
        member.add(3)
        for limit, first in ((7, EDITS - 6), (1000, 1)):
            rows: List[Any] = [row for page in image.edits(limit) for row in page.rows]
            assert [row[0] for row in rows] == list(range(first, EDITS + 1))
            assert rows[-1][2] == image.place.digest


def test_who_leaves_in_the_middle_lets_it_go_on(member: StillMember) -> None:
    with pytest.raises(ZeroDivisionError), ExportedImage(member.calls) as image:
        next(image.pages())
        raise ZeroDivisionError
    assert not member.still


def test_who_says_nothing_any_more_has_ended(member: StillMember, clock: Clock) -> None:
    with pytest.raises(SessionExpired), ExportedImage(member.calls) as image:
        pages = image.pages()
        next(pages)
        clock.now += IDLE_SECONDS
        member.exports.expire()
        assert member.still
        clock.now += 0.1
        member.exports.expire()
        assert not member.still
        next(pages)


def test_who_takes_too_long_has_ended(member: StillMember, clock: Clock) -> None:
    with pytest.raises(SessionExpired), ExportedImage(member.calls) as image:
        while clock.now <= 2 * SECONDS_MAX:
            member.exports.load(image._export_id, "inodes", None, 3)
            clock.now += IDLE_SECONDS
    assert SECONDS_MAX < clock.now < SECONDS_MAX + 2 * IDLE_SECONDS and not member.still


def test_so_many_may_read_at_a_time(member: StillMember) -> None:
    for number in range(EXPORTS_MAX):
        member.caller = f"name_node at {number}"
        member.calls.begin_export()
    member.caller = "one more"
    with pytest.raises(Busy):
        member.calls.begin_export()


def test_nobody_keeps_all_others_from_reading(member: StillMember, clock: Clock) -> None:
    for _ in range(10_000):
        try:
            export = member.calls.begin_export()
        except Busy:
            break
    assert len(member.exports._readers) == EXPORTS_OF_ONE < EXPORTS_MAX
    member.caller = "metadata at b"
    with ExportedImage(member.calls) as image:
        read(image)
        image.finish()
    member.caller = "name_node at a"
    member.calls.end_export(export.export_id)
    member.calls.begin_export()
    clock.now += IDLE_SECONDS + 0.1
    member.calls.begin_export()
    assert len(member.exports._readers) == 1


def test_what_came_otherwise_than_it_was_sent_is_told(member: StillMember) -> None:
    member.spoil = lambda payload: payload.replace(b"alice", b"alicf")
    with ExportedImage(member.calls) as image:
        read(image)
        with pytest.raises(CorruptData):
            image.finish()


def test_only_rows_of_the_image_are_read_by_keys_that_can_be(member: StillMember) -> None:
    export = member.calls.begin_export()
    for table, after in (("inodes", "x"), ("journal", None), ("counters", 1), ("nothing", None)):
        with pytest.raises(InvalidArgument):
            member.exports.load(export.export_id, table, after, 3)
