"""rm into the trash, and expunge."""

from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from data_service.filesystem import trash
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import DfsError, PathExists, PathNotFound, PermissionDenied

ON = ("-D", "fs.trash.interval=60")
ROOT = "/user/root/.Trash"
CURRENT = f"{ROOT}/Current"
HERE = "hdfs://localhost:1800"
MOMENT = 1_000_000_000
NAME = "010909014640"
"""What a checkpoint of that moment is called."""


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def remove(shell: Shell, *words: str) -> List[str]:
    """Remove into the trash, which says so on standard error only; where things are now."""
    result = shell.run(*ON, "rm", *words)
    assert (result.status, result.out) == (0, ""), result
    return [line.rpartition(f" to trash at: {HERE}")[2] for line in result.err.splitlines()]


def checkpoints(shell: Shell) -> List[str]:
    """The names in the trash."""
    return [status.name for status in shell.filesystem.list(ROOT)]


def test_the_trash_is_off_by_default(shell: Shell) -> None:
    shell.filesystem.write("/f")
    assert shell.good("rm", "/f") == "Deleted /f\n"
    assert shell.filesystem.tree() == []


def test_rm_moves_to_the_trash(shell: Shell) -> None:
    shell.filesystem.write("/d/f", b"1")
    shell.filesystem.write("/d/t/g", b"2")
    shell.filesystem.write("/top", b"3")
    result = shell.run(*ON, "rm", "/d/f")
    assert result == (0, "", f"Moved: '{HERE}/d/f' to trash at: {HERE}{CURRENT}/d/f\n")
    assert remove(shell, "-r", "/d/t", "/top") == [f"{CURRENT}/d/t", f"{CURRENT}/top"]
    assert shell.filesystem.contents(f"{CURRENT}/d/f") == b"1"
    assert shell.filesystem.contents(f"{CURRENT}/d/t/g") == b"2"
    assert shell.filesystem.contents(f"{CURRENT}/top") == b"3"
    assert shell.filesystem.stat(f"{CURRENT}/d").mode == 0o700


def test_a_home_that_is_made_on_the_way_is_an_ordinary_one(shell: Shell) -> None:
    """A trash that only its user may enter must not close /user to everybody else."""
    shell.filesystem.write("/f")
    assert remove(shell, "/f") == [f"{CURRENT}/f"]
    modes = [shell.filesystem.stat(path).mode for path in ("/user", "/user/root", ROOT, CURRENT)]
    assert modes == [0o755, 0o755, 0o700, 0o700]


def test_the_setting_and_the_flag(shell: Shell) -> None:
    settings = shell.filesystem.settings
    client = replace(settings.client, trash_minutes=5)
    shell.filesystem.settings = replace(settings, client=client)
    for name in ("/a", "/b", "/c"):
        shell.filesystem.write(name)
    assert shell.run("rm", "/a").out == ""
    assert shell.good("rm", "-skipTrash", "/b") == "Deleted /b\n"
    assert shell.good("-D", "fs.trash.interval=0", "rm", "/c") == "Deleted /c\n"
    assert [status.name for status in shell.filesystem.list(CURRENT)] == ["a"]


def test_a_name_that_is_taken_gets_the_time(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(100, 200))
    monkeypatch.setattr(trash, "_wall_ms", lambda: next(moments))
    places: List[str] = []
    for data in (b"1", b"2", b"3"):
        shell.filesystem.write("/f", data)
        places += remove(shell, "/f")
    assert places == [f"{CURRENT}/f", f"{CURRENT}/f100", f"{CURRENT}/f101"]
    assert [shell.filesystem.contents(place) for place in places] == [b"1", b"2", b"3"]
    # A directory now where a file was: what is in it goes beside that file.
    shell.filesystem.write("/f/x", b"4")
    shell.filesystem.write("/f/d/x", b"5")
    assert remove(shell, "/f/x", "/f/d/x") == [f"{CURRENT}/f102/x", f"{CURRENT}/f103/d/x"]


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "x" + "é" * 127, "n" * 243])
def test_a_long_name_that_is_taken_makes_room_for_the_time(
    shell: Shell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(MOMENT * 1000, MOMENT * 1000 + 100))
    monkeypatch.setattr(trash, "_wall_ms", lambda: next(moments))
    places: List[str] = []
    for data in (b"1", b"2"):
        shell.filesystem.write(f"/{name}", data)
        places += remove(shell, f"/{name}")
    assert [shell.filesystem.contents(place) for place in places] == [b"1", b"2"]
    assert places[0] == f"{CURRENT}/{name}"
    second = places[1].rpartition("/")[2]
    assert second.startswith(name[:100]) and 250 <= len(second.encode()) <= 255
    shell.filesystem.write(f"/{name}/x", b"3")
    (place,) = remove(shell, f"/{name}/x")
    assert all(len(part.encode()) <= 255 for part in place.split("/"))


def test_in_the_trash_rm_deletes(shell: Shell) -> None:
    shell.filesystem.write("/f")
    remove(shell, "/f")
    assert shell.good(*ON, "rm", f"{CURRENT}/f") == f"Deleted {CURRENT}/f\n"
    assert shell.good(*ON, "rm", "-r", ROOT) == f"Deleted {ROOT}\n"
    assert shell.filesystem.tree() == ["/user", "/user/root"]


@pytest.mark.parametrize("path", ["/user", "/user/root"])
def test_what_contains_the_trash_stays(shell: Shell, path: str) -> None:
    shell.filesystem.mkdir("/user/root", parents=True)
    assert shell.bad(*ON, "rm", "-r", path) == (
        f'rm: Cannot move "hdfs://localhost:1800{path}" to the trash, as it contains the trash. '
        "Consider using -skipTrash option\n"
    )
    assert shell.filesystem.tree() == ["/user", "/user/root"]


def test_rm_is_as_strict_as_without_a_trash(shell: Shell) -> None:
    assert shell.bad(*ON, "rm", "/no") == "rm: `/no': No such file or directory\n"
    assert shell.run(*ON, "rm", "-f", "/no") == (0, "", "")
    shell.filesystem.mkdir("/d")
    assert shell.bad(*ON, "rm", "/d") == "rm: `/d': Is a directory\n"
    assert shell.bad(*ON, "rm", "-r", "/") == "rm: `/': Input/output error\n"


@pytest.mark.parametrize(
    "method, error, message",
    [
        ("rename", PermissionDenied("Permission denied: user=x"), "Permission denied: user=x"),
        ("mkdir", DfsError("No room"), "No room"),
        ("rename", PathExists("x"), "others change the trash at the same time"),
        ("rename", PathNotFound("x"), "others change the trash at the same time"),
    ],
)
def test_what_cannot_be_moved_is_kept(
    shell: Shell, method: str, error: DfsError, message: str
) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.fail(method, error)
    assert shell.bad(*ON, "rm", "/f") == (
        f"rm: Failed to move to trash: {HERE}/f: {message}. Consider using -skipTrash option\n"
    )
    assert "/f" in shell.filesystem.tree()


def test_local_files_have_no_trash(shell: Shell) -> None:
    path = shell.local("x")
    assert shell.good(*ON, "rm", f"file://{path}") == f"Deleted file://{path}\n"
    assert not path.exists()


def test_expunge(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.good(*ON, "expunge") == "" and shell.filesystem.tree() == []
    now = [float(MOMENT)]
    trash.time.strptime("20", "%y")  # The first time it asks strftime for names of months.
    monkeypatch.setattr(trash.time, "time", lambda: now[0])
    monkeypatch.setattr(trash.time, "strftime", lambda form, _moment: NAME)
    for number in range(3):
        shell.filesystem.write(f"/{number}")
        remove(shell, f"/{number}")
        assert shell.good(*ON, "expunge") == ""
    assert checkpoints(shell) == [NAME, f"{NAME}-1", f"{NAME}-2"]
    shell.filesystem.mkdir(f"{ROOT}/keep")
    now[0] += 59 * 60
    assert shell.good(*ON, "expunge") == "" and len(checkpoints(shell)) == 4
    now[0] += 2 * 60
    shell.filesystem.write("/last")
    remove(shell, "/last")
    assert shell.good(*ON, "expunge") == ""
    assert checkpoints(shell) == [NAME, "keep"], "what was closed just now stays"
    assert shell.good(*ON, "expunge", "-immediate") == ""
    assert checkpoints(shell) == ["keep"]


@pytest.mark.parametrize(
    "name",
    ["keep", "20261127", "1111111", "0101010101", "260102030405x", "2601020304050", "991332000000",
     "260102030405-", "260102030405-1-2", "２60102030405", "-1", "26010203040"],
)  # fmt: skip
@pytest.mark.parametrize("words", [("expunge",), ("expunge", "-immediate")])
def test_what_is_no_checkpoint_stays(shell: Shell, name: str, words: Tuple[str, ...]) -> None:
    shell.filesystem.write(f"{ROOT}/{name}/f")
    shell.filesystem.write(f"{ROOT}/000102030405-1/f")
    assert shell.good(*ON, *words) == ""
    assert checkpoints(shell) == [name]


def test_a_checkpoint_means_one_moment_everywhere(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.filesystem.write("/f")
    remove(shell, "/f")
    for zone in ("Pacific/Kiritimati", "Pacific/Honolulu", "America/St_Johns", "UTC"):
        monkeypatch.setenv("TZ", zone)
        trash.time.tzset()
        shell.good(*ON, "expunge")
        assert len(checkpoints(shell)) == 1, zone
