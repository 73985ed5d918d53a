"""-D name=value: heeded or refused, and never forgotten."""

import os
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.shell.arguments.definitions import HEEDED, OLD_NAMES, Definitions, check
from data_service.shell.failures import UsageError
from tests.support.terminal.shell import Shell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def mode(shell: Shell, path: str) -> int:
    """The permission bits of a path."""
    return shell.filesystem.stat(path).mode


@pytest.mark.parametrize("key", ["fs.permissions.umask-mode", "dfs.umaskmode", "dfs.umask"])
@pytest.mark.parametrize(
    "umask, file, directory",
    [("077", 0o600, 0o700), ("27", 0o640, 0o750), ("0", 0o666, 0o777), ("0022", 0o644, 0o755)],
)
def test_the_umask_is_that_of_whatever_is_made(
    shell: Shell, key: str, umask: str, file: int, directory: int
) -> None:
    shell.local("tree/f", b"bytes")
    define = ("-D", f"{key}={umask}")
    shell.good(*define, "put", "-", "/in", stdin=b"bytes")
    shell.good(*define, "put", "tree/f", "/file")
    shell.good(*define, "put", "tree", "/tree")
    shell.good(*define, "mkdir", "/d")
    shell.good(*define, "mkdir", "-p", "/p/q")
    shell.good(*define, "touchz", "/z")
    shell.good(*define, "touch", "/t")
    shell.good(*define, "cp", "/file", "/copy")
    shell.good(*define, "cp", "/tree", "/trees")
    shell.good(*define, "appendToFile", "tree/f", "/appended")
    for path in ("/in", "/file", "/tree/f", "/z", "/t", "/copy", "/trees/f", "/appended"):
        assert mode(shell, path) == file, path
    for path in ("/tree", "/d", "/p/q", "/trees"):
        assert mode(shell, path) == directory, path
    former = os.umask(0)
    os.umask(former)
    shell.good(*define, "get", "/tree", "fetched")
    assert os.stat("fetched/f").st_mode & 0o777 == file
    assert os.stat("fetched").st_mode & 0o777 == directory
    assert os.umask(former) == former


def test_without_a_word_it_is_022(shell: Shell) -> None:
    shell.good("mkdir", "/d")
    shell.good("touchz", "/f")
    assert (mode(shell, "/d"), mode(shell, "/f")) == (0o755, 0o644)


@pytest.mark.parametrize("umask", ["", "u=rwx,g=,o=", "8", "-1", "0o77", "07777", "٧٧"])
def test_an_umask_that_is_none_is_refused(shell: Shell, umask: str) -> None:
    for words in (["mkdir", "/d"], ["ls", "/"]):
        assert "as octal umask" in shell.bad("-D", f"dfs.umaskmode={umask}", *words, status=255)
    assert shell.filesystem.tree() == []


@pytest.mark.parametrize(
    "definition",
    ["x=y", "dfs.replicaton=3", "dfs.checksum.combine.mode=COMPOSITE_CRC", "dfs.replication.=1",
     "dfs.checksum.type=CRC32C", "=", "", "dfs.permissions.enabled=false"],
)  # fmt: skip
def test_what_would_have_no_effect_is_refused(shell: Shell, definition: str) -> None:
    error = shell.bad("-D", definition, "mkdir", "/d", status=255)
    assert error.startswith("-D ") and "would have no effect. Known are dfs.replication," in error
    assert len(error.splitlines()) == 1 and shell.filesystem.tree() == []


def test_what_is_so_anyway_may_be_said(shell: Shell) -> None:
    shell.good("-D", "dfs.checksum.type=CRC32", "-D", "dfs.permissions.enabled=true", "ls", "/")


def test_old_names_mean_the_present_ones() -> None:
    assert set(OLD_NAMES.values()) <= set(HEEDED)
    assert check({name: "7" for name in OLD_NAMES}) == {name: "7" for name in OLD_NAMES.values()}


@pytest.mark.parametrize("text, number", [("0", 0), ("7", 7), ("022", 18), ("777", 511)])
def test_umasks_are_octal(text: str, number: int) -> None:
    assert Definitions({"fs.permissions.umask-mode": text}).umask == number


def test_numbers() -> None:
    made: List[int] = [Definitions({"a": text}).number("a") for text in ("1", " -2 ", "+3")]
    assert made == [1, -2, 3] and Definitions({}).number("a", 5) == 5
    for text in ("", "x", "1.5", "9" * 19):
        with pytest.raises(UsageError):
            Definitions({"a": text}).number("a")
