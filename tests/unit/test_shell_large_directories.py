"""Directories of very many files: a walk through a tree keeps a page of them, not all."""

import json
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from data_service.protocol.files import FileStatus
from data_service.shell.commands import du, ls
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import PermissionDenied

FILES = 3_500
PAGE = 1_000

DIRECTORY = FileStatus("", 1, "d", 0, 0, 0, "root", "supergroup", 0o755, 0, 0)
NAMES = [f"f{number:04}" for number in range(FILES)]


class Row(FileStatus):
    """The status of a file, counted as long as anybody has it."""

    alive = most = 0

    def __init__(self, *_fields: object) -> None:
        Row.alive += 1
        Row.most = max(Row.most, Row.alive)

    def __del__(self) -> None:
        Row.alive -= 1


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on a file system of one directory, whose files come in pages."""

    def rows(_path: str) -> Iterator[FileStatus]:
        for start in range(0, FILES, PAGE):
            names = NAMES[start : start + PAGE]
            yield from [
                Row(name, 2, "f", start, 1, 64, "root", "supergroup", 0o644, 0, 0)
                for name in names
            ]

    monkeypatch.setattr(Row, "most", 0)
    with Shell(monkeypatch, tmp_path) as made:
        monkeypatch.setattr(made.filesystem, "list", rows)
        monkeypatch.setattr(made.filesystem, "stat", lambda _path: DIRECTORY)
        yield made


@pytest.mark.parametrize(
    "words, lines",
    [
        (("ls", "-R", "/"), FILES),
        (("ls", "-C", "-R", "/"), FILES),
        (("find", "/"), FILES + 1),
        (("find", "/", "-name", "f1*"), 1_000),
        (("du", "/"), FILES),
        (("du", "-v", "-h", "/"), FILES + 1),
        (("stat", "-R", "%n", "/"), FILES + 1),
        (("chmod", "-R", "644", "/"), 0),
    ],
)
def test_two_pages_at_most_are_kept(shell: Shell, words: Tuple[str, ...], lines: int) -> None:
    shell.filesystem.set_mode = lambda _path, _mode: None  # type: ignore[method-assign]
    assert len(shell.good(*words).splitlines()) == lines
    # The lines that are being aligned, and the page that they come from.
    assert PAGE <= Row.most <= 2 * PAGE + 10


@pytest.mark.parametrize("words", [("ls", "-R"), ("stat", "-R"), ("du",)])
def test_so_it_is_for_a_program(shell: Shell, words: Tuple[str, ...]) -> None:
    out = shell.good(*words, "--json", "/")
    found = json.loads(out)
    assert [row["path"] for row in found][-FILES:] == [f"/{name}" for name in NAMES]
    assert out == json.dumps(found, indent=1) + "\n"
    assert Row.most <= 2 * PAGE + 10


def test_nothing_is_a_list_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell.filesystem, "list", lambda _path: iter(()))
    assert shell.good("ls", "--json", "/") == shell.good("du", "--json", "/") == "[]\n"


def test_columns_are_aligned_group_by_group(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: List[FileStatus] = [
        DIRECTORY._replace(name=f"f{size}", kind="f", length=size, replication=1, owner="o" * size)
        for size in (1, 10, 100)
    ]
    monkeypatch.setattr(shell.filesystem, "list", lambda _path: iter(rows))
    monkeypatch.setattr(ls, "GROUP_LINES", 2)
    monkeypatch.setattr(du, "GROUP_LINES", 2)
    lines = shell.good("ls", "-R", "/").splitlines()
    owners = [line.split(" supergroup")[0].split("   1 ")[1] for line in lines]
    assert owners == ["o".ljust(10), "o" * 10, "o" * 100]
    assert shell.good("du", "-v", "/").splitlines()[1:] == [
        f"{size:<4}  {size:<37}  /f{size}" for size in (1, 10)
    ] + ["100  100  /f100"]


def test_a_page_that_cannot_be_had_is_told_of_once(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(_path: str) -> Iterator[FileStatus]:
        yield DIRECTORY._replace(name="f", kind="f", replication=1)
        raise PermissionDenied("not you")

    monkeypatch.setattr(shell.filesystem, "list", rows)
    result = shell.run("find", "/")
    assert (result.status, result.lines, result.err) == (1, ["/", "/f"], "find: not you\n")
