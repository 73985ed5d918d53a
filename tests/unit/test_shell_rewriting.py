"""appendToFile, truncate, concat."""

from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import AlreadyBeingCreated, IsADirectory, SafeMode

LARGER = "Cannot truncate to a larger file size. Current size: 10, truncate size: 11."


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


# -- appendToFile.


def test_local_files_go_behind_the_end_in_their_order(shell: Shell) -> None:
    shell.local("a", b"a")
    shell.local("b", b"bb")
    shell.filesystem.write("/f", b"old ")
    assert shell.good("appendToFile", "a", "b", "a", "/f") == ""
    assert shell.filesystem.contents("/f") == b"old abba"
    shell.good("-appendToFile", "-n", "b", "/f")
    assert shell.filesystem.contents("/f") == b"old abbabb"


def test_a_missing_destination_is_made_with_its_parents(shell: Shell) -> None:
    shell.local("a", b"a")
    shell.good("-D", "dfs.replication=2", "appendToFile", "a", "a", "/new/er/f")
    assert shell.filesystem.contents("/new/er/f") == b"aa"
    assert shell.filesystem.stat("/new/er/f").replication == 2
    assert "append" not in shell.filesystem.calls


def test_a_destination_that_somebody_makes_meanwhile_is_appended_to(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = shell.filesystem.open

    def open_late(path: str, *args: Any, **options: Any) -> Any:
        shell.filesystem.write(path, b"first ")
        return opened(path, *args, **options)

    monkeypatch.setattr(shell.filesystem, "open", open_late)
    shell.local("a", b"second")
    shell.good("appendToFile", "a", "/f")
    assert shell.filesystem.contents("/f") == b"first second"


@pytest.mark.parametrize("command", ["touchz", "touch"])
def test_an_empty_file_replaces_none_that_somebody_makes_meanwhile(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    opened = shell.filesystem.open

    def open_late(path: str, *args: Any, **options: Any) -> Any:
        shell.filesystem.write(path, b"first")
        return opened(path, *args, **options)

    monkeypatch.setattr(shell.filesystem, "open", open_late)
    shell.bad(command, "/f")
    assert shell.filesystem.contents("/f") == b"first"


def test_standard_input_is_the_only_source(shell: Shell) -> None:
    shell.filesystem.write("/f", b"old ")
    shell.good("appendToFile", "-", "/f", stdin=b"\0new")
    assert shell.filesystem.contents("/f") == b"old \0new"
    shell.local("a", b"a")
    for sources in (("a", "-"), ("-", "a"), ("-", "-")):
        told = shell.bad("appendToFile", *sources, "/f", stdin=b"x")
        assert told == "appendToFile: stdin (-) must be the sole input argument when present\n"
    assert shell.filesystem.contents("/f") == b"old \0new"


def test_what_is_wrong_with_a_source_is_found_before_anything_is_appended(shell: Shell) -> None:
    shell.local("a", b"a")
    (shell.folder / "d").mkdir()
    shell.filesystem.write("/f", b"old")
    assert shell.bad("appendToFile", "a", "no", "/f") == (
        "appendToFile: `no': No such file or directory\n"
    )
    assert shell.bad("appendToFile", "a", "d", "/f") == "appendToFile: `d': Is a directory\n"
    assert shell.bad("appendToFile", "no", "/g") == (
        "appendToFile: `no': No such file or directory\n"
    )
    assert shell.filesystem.contents("/f") == b"old" and shell.filesystem.tree() == ["/f"]


def test_what_cannot_be_appended_to(shell: Shell) -> None:
    shell.local("a", b"a")
    shell.filesystem.write("/d/f", b"old")
    assert shell.bad("appendToFile", "a") == "appendToFile: missing destination argument\n"
    assert shell.bad("appendToFile", "a", "/d") == (
        "appendToFile: Cannot append to directory /d; already exists as a directory.\n"
    )
    assert "Illegal option -x" in shell.bad("appendToFile", "-x", "a", "/d/f", status=255)
    for error in (
        SafeMode("Cannot append to file/d/f. Name node is in safe mode."),
        AlreadyBeingCreated("Failed to APPEND_FILE /d/f for x"),
        IsADirectory("Cannot append to directory /d/f; already exists as a directory."),
    ):
        shell.filesystem.fail("append", error)
        assert shell.bad("appendToFile", "a", "/d/f") == f"appendToFile: {error.message}\n"


def test_a_local_file_is_appended_to_as_well(shell: Shell) -> None:
    shell.local("a", b"a")
    target = shell.local("target", b"old ")
    shell.good("appendToFile", "a", f"file://{target}")
    assert target.read_bytes() == b"old a"


# -- truncate.


def test_files_are_cut_off(shell: Shell) -> None:
    shell.filesystem.write("/a", b"0123456789")
    shell.filesystem.write("/b", b"0123456789")
    assert shell.good("truncate", "4", "/a") == "Truncated /a to length: 4\n"
    assert shell.good("truncate", "-w", "2", "/*") == (
        "Truncated /a to length: 2\nTruncated /b to length: 2\n"
    )
    assert shell.filesystem.contents("/a") == shell.filesystem.contents("/b") == b"01"
    target = shell.local("local", b"0123456789")
    shell.good("truncate", "+3", f"file://{target}")
    assert target.read_bytes() == b"012"


def test_a_file_does_not_grow(shell: Shell) -> None:
    shell.filesystem.write("/a", b"0123456789")
    told = shell.bad("truncate", "11", "/a", status=255)
    assert told.splitlines()[0] == f"-truncate: {LARGER}"
    assert "-truncate [-w] <length> <path> ..." in told
    assert shell.good("truncate", "10", "/a") == "Truncated /a to length: 10\n"


def test_other_files_are_cut_off_after_an_error(shell: Shell) -> None:
    shell.filesystem.write("/d/a", b"0123456789")
    result = shell.run("truncate", "1", "/no", "/d", "/d/a")
    assert (result.status, result.out) == (1, "Truncated /d/a to length: 1\n")
    assert result.err == (
        "truncate: `/no': No such file or directory\ntruncate: `/d': Is a directory\n"
    )


@pytest.mark.parametrize("text", ["x", "", "1.5", "1k", "-", "9" * 19, "1" * 5000, "²"])
def test_what_is_no_length(shell: Shell, text: str) -> None:
    shell.filesystem.write("/a", b"0123456789")
    lines = shell.bad("truncate", text, "/a", status=255).splitlines()
    assert lines[0] == "truncate: Illegal length, a non-negative integer expected"
    assert lines[1] == f'-truncate: For input string: "{text}"'


def test_negative_lengths_look_like_options_until_the_options_end(shell: Shell) -> None:
    shell.filesystem.write("/a", b"0123456789")
    assert "Illegal option -1" in shell.bad("truncate", "-1", "/a", status=255)
    told = shell.bad("truncate", "--", "-1", "/a", status=255)
    assert told.startswith("-truncate: length must be >= 0\n")
    assert "expected 2 but got 1" in shell.bad("truncate", "1", status=255)


# -- concat.


def test_concat(shell: Shell) -> None:
    for name in "abc":
        shell.filesystem.write(f"/d/{name}", name.encode())
    assert shell.good("concat", "/d/b", "/d/c", "/d/a") == ""
    assert shell.filesystem.contents("/d/b") == b"bca"
    assert shell.filesystem.tree() == ["/d", "/d/b"]


def test_what_concat_refuses(shell: Shell) -> None:
    shell.filesystem.write("/d/a", b"a")
    shell.filesystem.write("/d/b", b"b")
    shell.filesystem.write("/d/empty")
    usage = "<target path> <src path> <src path> ..."
    why = {
        (): f"Target path not specified. {usage}",
        ("/d/a",): f"The number of source paths is less than 2. {usage}",
        ("/d/a", "/d/b"): f"The number of source paths is less than 2. {usage}",
        ("/d", "/d/a", "/d/b"): (
            "Target path hdfs://localhost:1800/d does not exist or is not file."
        ),
        ("/d/a", "/d/b", "/d/x"): "hdfs://localhost:1800/d/x does not exist or is not file.",
        ("/d/a", "/d/b", "/d"): "hdfs://localhost:1800/d does not exist or is not file.",
        ("/d/a", "/d/b", "/d/empty"): (
            "concat: source file /d/empty is invalid or empty or underConstruction"
        ),
    }
    for arguments, told in why.items():
        assert shell.bad("concat", *arguments) == f"concat: {told}\n"
    local = f"file://{shell.local('local', b'x')}"
    assert shell.bad("concat", "/d/a", "/d/b", local) == (
        f"concat: `{local}': Does not match target filesystem\n"
    )
    assert shell.bad("concat", local, local, local) == (
        f"concat: {shell.folder / 'local'}: local files cannot be concatenated\n"
    )
    assert shell.filesystem.contents("/d/a") == b"a"
