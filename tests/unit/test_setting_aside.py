"""The files of a record that cannot be used any more are put aside, all of them, whatever dies."""

import shutil
from pathlib import Path
from typing import Dict

import pytest

from metadata_service.record import setting_aside
from metadata_service.record.setting_aside import _FILES, NOTE, keep_newest, resume, set_aside
from tests.support.disks.forgetful_disk import Aftermath, aftermaths
from zookeeper.fabric.disk import SystemCalls

CONTENTS = {name: name.encode("ascii") for name in _FILES}


@pytest.fixture(name="moment", autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setting_aside, "now", lambda: 1764265200.5)


def contents(folder: Path) -> Dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_all_of_a_record_is_put_aside_and_nothing_else(tmp_path: Path) -> None:
    for name, data in CONTENTS.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "lock").touch()
    folder = set_aside(str(tmp_path), "damaged")
    assert folder == str(tmp_path / "damaged-1764265200")
    assert contents(Path(folder)) == CONTENTS and contents(tmp_path) == {"lock": b""}


def test_what_is_missing_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_bytes(b"v")
    assert contents(Path(set_aside(str(tmp_path), "damaged"))) == {"VERSION": b"v"}


def test_nothing_takes_the_place_of_what_was_put_aside_before(tmp_path: Path) -> None:
    """Of two records in one second, and when the clock was set back."""
    folders = []
    for number in range(3):
        (tmp_path / "VERSION").write_bytes(bytes([number]))
        folders.append(set_aside(str(tmp_path), "damaged"))
    assert [contents(Path(folder)) for folder in folders] == [
        {"VERSION": bytes([number])} for number in range(3)]


def test_only_the_newest_stay_of_what_was_put_aside(tmp_path: Path) -> None:
    names = ["damaged-9", "damaged-10", "damaged-11", "other-1", "damaged-x", "damaged"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "VERSION").touch()
    keep_newest(str(tmp_path), "damaged")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    keep_newest(str(tmp_path), "damaged")
    assert len(list(tmp_path.iterdir())) == len(names) - 1


def test_what_cannot_be_removed_keeps_nobody_from_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        (tmp_path / f"damaged-{number}").mkdir()

    def refuse(_path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    keep_newest(str(tmp_path), "damaged")
    assert len(list(tmp_path.iterdir())) == 4


def carried_out(world: Aftermath, directory: Path) -> Path:
    """The world on a real disk."""
    directory.mkdir()
    for path, data in world.files.items():
        place = directory / Path(path).relative_to("/m")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
    return directory


def test_no_power_cut_leaves_a_part_of_it_behind(tmp_path: Path) -> None:
    files = {f"/m/{name}": data for name, data in CONTENTS.items()}
    number = 0

    def operation(system: SystemCalls) -> None:
        set_aside("/m", "damaged", system)

    for world in aftermaths(("/m",), files, operation):
        number += 1
        directory = carried_out(world, tmp_path / str(number))
        resume(str(directory))
        left = contents(directory)
        left.pop(f"{NOTE}.tmp", None)
        assert left in ({}, CONTENTS), world.story
        if not left:
            assert contents(directory / "damaged-1764265200") == CONTENTS, world.story
        assert not world.returned or not left
    assert number > 30
