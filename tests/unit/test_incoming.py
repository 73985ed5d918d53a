"""An image takes the place of a member's database, whenever the process or the machine dies."""

import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from metadata_service.edits import TABLES, decode_rows
from metadata_service.member.member_record import alone, configuration_text
from metadata_service.quorum import START, Place
from metadata_service.record import incoming, version_file
from metadata_service.record.incoming import INCOMING, WHOLE, IncomingImage, install, resume
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME
from metadata_service.record.schema import JOURNAL, LAYOUT
from metadata_service.record.version_file import Version
from tests.support.disks.forgetful_disk import aftermaths
from tests.support.models.record_leader import append, lead, standing
from tests.support.models.sample_edits import file_edits, image_after, image_of, lines_of
from zookeeper.fabric.disk import SystemCalls
from zookeeper.fabric.errors import CorruptData

OLD, NEW = 5, 20


def filled(directory: Path, edits: int) -> MetadataDatabase:
    """An open database with so many edits."""
    database = MetadataDatabase.open(str(directory), 1000)
    lead(database, "test")
    append(database, 1, 1, lines_of(file_edits(1, edits)))
    return database


def copy_into(directory: Path, source: MetadataDatabase) -> IncomingImage:
    """The image of `source` on its way into a directory, whole but for its end."""
    image = IncomingImage(str(directory))
    for table in TABLES.values():
        image.put_rows(table, decode_rows(source.load(table, None, 1000, 1 << 20)))
    image.begin_log(START)
    image.add_edits(decode_rows(source.load(JOURNAL, None, 1000, 1 << 20)))
    image.check()
    return image


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Any:
    (tmp_path / "source").mkdir()
    database = filled(tmp_path / "source", NEW)
    yield database
    database.close()


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    """A member's directory that was used before, as a killed process leaves it."""
    (tmp_path / "member").mkdir()
    database = filled(tmp_path / "member", OLD)
    shutil.copytree(tmp_path / "member", tmp_path / "killed")
    database.close()
    assert (tmp_path / "killed" / (NAME + "-wal")).stat().st_size
    return tmp_path / "killed"


def state_for(cluster_id: str) -> Dict[str, str]:
    """What is the member's own."""
    return {
        "cluster_id": cluster_id, "member_id": "m", "log": "9", "promised": "7", "owner": "me",
        "configuration": configuration_text(alone("m", "")),
    }  # fmt: skip


def look(directory: Path) -> int:
    """Open it as a start does; how many edits its image and its log have, which must agree."""
    resume(str(directory))
    assert not {INCOMING, WHOLE} & set(os.listdir(directory))
    database = MetadataDatabase.open(str(directory), 1000)
    try:
        database.check()
        last = database.status().last.txid
        assert image_of(database) == image_after(file_edits(1, last))
        return last
    finally:
        database.close()


def test_an_image_takes_the_place_of_the_database(
    directory: Path, source: MetadataDatabase
) -> None:
    image = copy_into(directory, source)
    image.finish(state_for("c"))
    install(str(directory), Version("c", LAYOUT, 9, "m"))
    assert look(directory) == NEW
    database = MetadataDatabase.open(str(directory), 1000)
    assert standing(database) == ("c", 7, NEW)
    database.close()


class Cut(Exception):
    """The process died here."""


class CutCalls(SystemCalls):
    """Dies before so many calls are made."""

    def __init__(self, calls: int) -> None:
        def cut(call: Callable[..., Any]) -> Callable[..., Any]:
            def made(*args: Any) -> Any:
                self.left -= 1
                if self.left < 0:
                    raise Cut
                return call(*args)

            return made

        self.left = calls
        for name in ("open", "write", "fsync", "rename", "unlink"):
            setattr(self, name, cut(getattr(os, name)))


def test_a_member_that_is_killed_at_any_step_has_its_record_or_the_new_one(
    tmp_path: Path, directory: Path, source: MetadataDatabase
) -> None:
    found: List[int] = []
    for steps in range(100):
        copy = Path(shutil.copytree(directory, tmp_path / f"cut {steps}"))
        image = copy_into(copy, source)
        image.finish(state_for("c"))
        try:
            install(str(copy), Version("c", LAYOUT, 9, "m"), CutCalls(steps))
        except Cut:
            found.append(look(copy))
            continue
        break
    assert len(found) > 8 and set(found) == {NEW}


@pytest.mark.parametrize("step", ["begun", "filled", "whole"])
def test_before_it_is_whole_the_old_record_stays(
    directory: Path, source: MetadataDatabase, step: str
) -> None:
    image = IncomingImage(str(directory)) if step == "begun" else copy_into(directory, source)
    if step == "whole":
        image.finish(state_for("c"))
    else:
        image.close()
    assert look(directory) == (NEW if step == "whole" else OLD)


def test_no_power_cut_leaves_the_old_log_beside_the_new_database() -> None:
    directory = "/m"
    files = {f"/m/{NAME}": b"old", f"/m/{NAME}-wal": b"old log", f"/m/{WHOLE}": b"new",
             f"/m/{version_file.NAME}": b"old"}
    worlds = 0
    version = Version("c", LAYOUT, 9, "m")
    for world in aftermaths(("/m",), files,
                            lambda system: install(directory, version, system)):
        worlds += 1
        new = world.files[f"/m/{NAME}"] == b"new"
        assert new or world.files[f"/m/{WHOLE}"] == b"new", world.story
        assert not new or f"/m/{NAME}-wal" not in world.files, world.story
        assert not new or world.files[f"/m/{version_file.NAME}"] != b"old", world.story
        assert new or not world.returned
    assert worlds > 30


def test_edits_that_do_not_chain_are_refused(directory: Path, source: MetadataDatabase) -> None:
    image = IncomingImage(str(directory))
    image.begin_log(Place(2, "another"))
    with pytest.raises(CorruptData):
        image.add_edits(decode_rows(source.load(JOURNAL, 2, 1000, 1 << 20)))
    image.close()
    incoming.discard(str(directory))
    assert look(directory) == OLD
