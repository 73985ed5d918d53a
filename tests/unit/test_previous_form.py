"""What an older program wrote is kept beside what it becomes, whenever the process is killed."""

import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from metadata_service.record import migrations, previous_form, version_file
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME
from metadata_service.record.schema import LAYOUT, STATE, put
from metadata_service.record.version_file import Version
from tests.support.models.sample_edits import file_edits, image_after, image_of
from zookeeper.fabric import disk
from zookeeper.fabric.disk import Space, SystemCalls
from zookeeper.fabric.errors import DiskFull

DUMP = Path(__file__).parent.parent / "support" / "layout_1.sql"
CLUSTER = "a4aac58b-d5ad-41be-aa57-d313d5a3e7ef"
EDITS = 4
STEPS_MAX = 200


@pytest.fixture(name="old", scope="module")
def _old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of layout 1 whose newest edits are in the log only, as after a kill."""
    made = tmp_path_factory.mktemp("made")
    connection = sqlite3.connect(str(made / NAME))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(DUMP.read_text("utf-8"))
    directory = tmp_path_factory.mktemp("old")
    for name in (NAME, NAME + "-wal"):
        shutil.copyfile(made / name, directory / name)
    connection.close()
    version_file.write(str(directory), Version(CLUSTER, 1, 1))
    assert (directory / (NAME + "-wal")).stat().st_size > 0
    return directory


def contents(folder: Path) -> Dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def open_and_look(directory: Path) -> None:
    """A start: it has all that was there, in today's form."""
    database = MetadataDatabase.open(str(directory), 1000)
    database.check()
    assert image_of(database) == image_after(file_edits(1, EDITS))
    database.close()
    version = version_file.read(str(directory))
    assert version is not None and version.layout == LAYOUT


def killed_at(directory: Path, step: int) -> bool:
    """Whether a start in a process of its own is killed there, before this step; else it ends."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = step

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        return perform

    for name in ("open", "write", "fsync", "rename", "unlink", "mkdir"):
        setattr(SystemCalls, name, staticmethod(counted(getattr(SystemCalls, name))))
    migrations.put = counted(migrations.put)
    try:
        MetadataDatabase.open(str(directory), 1000).close()
    finally:
        os._exit(0)


def test_a_kill_at_any_step_leaves_it_whole_or_not_at_all(old: Path, tmp_path: Path) -> None:
    before, kills, kept = contents(old), 0, 0
    for step in range(STEPS_MAX):
        directory = tmp_path / str(step)
        shutil.copytree(old, directory)
        killed = killed_at(directory, step)
        folder = directory / previous_form.NAME
        if folder.exists():
            kept += killed
            assert contents(folder) == before
        open_and_look(directory)
        assert contents(folder) == before
        open_and_look(directory)
        assert contents(folder) == before, "a second start leaves it alone"
        assert not (directory / "previous.tmp").exists()
        kills += killed
        if not killed:
            break
    assert not killed and kills > 20 and 5 < kept < kills


def test_one_goes_back_with_it(old: Path, tmp_path: Path) -> None:
    directory = tmp_path / "m"
    shutil.copytree(old, directory)
    open_and_look(directory)
    for path in directory.iterdir():
        if path.is_file():
            path.unlink()
    for path in (directory / previous_form.NAME).iterdir():
        path.rename(directory / path.name)
    assert contents(directory) == contents(old)
    (directory / previous_form.NAME).rmdir()
    open_and_look(directory)
    assert contents(directory / previous_form.NAME) == contents(old), "when it comes again"


def refuse(*_: object) -> None:
    """A step of a migration that fails."""
    raise DiskFull("no room")


def test_what_the_older_program_wrote_after_an_upgrade_that_failed_is_kept(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "m"
    shutil.copytree(old, directory)
    caplog.set_level("INFO")
    with monkeypatch.context() as patch, pytest.raises(DiskFull):
        patch.setitem(migrations._STEPS, LAYOUT - 1, refuse)
        open_and_look(directory)
    assert "database.migrated" not in caplog.text, "nothing was"
    connection = sqlite3.connect(str(directory / NAME))
    with connection:
        put(connection, STATE, ("owner", "the older one"))
        put(connection, STATE, ("log", "2"))
    connection.close()
    version_file.write(str(directory), Version(CLUSTER, 1, 2))
    written = contents(directory)
    for _ in range(2):
        open_and_look(directory)
        assert contents(directory / "previous") == written
        assert contents(directory / "previous-2") == contents(old)
        assert not (directory / "previous-3").exists()
    assert caplog.text.count("database.migrated") == 1


def test_that_of_another_upgrade_makes_way(old: Path, tmp_path: Path) -> None:
    directory = tmp_path / "m"
    shutil.copytree(old, directory)
    for name in ("previous", "previous-2"):
        (directory / name).mkdir()
        (directory / name / "mine").write_text(name)
    open_and_look(directory)
    assert contents(directory / "previous") == contents(old)
    assert [(directory / f"previous-{number}" / "mine").read_text() for number in (2, 3)] == [
        "previous-2", "previous"]


def test_without_room_for_it_there_is_none(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "m"
    shutil.copytree(old, directory)
    with monkeypatch.context() as patch:
        patch.setattr(disk, "space", lambda _path: Space(1 << 40, 8 << 20))
        open_and_look(directory)
    assert not (directory / previous_form.NAME).exists()


def test_a_database_of_today_has_no_other_form(tmp_path: Path) -> None:
    for _ in range(2):
        MetadataDatabase.open(str(tmp_path), 1000).close()
    assert not (tmp_path / previous_form.NAME).exists()
