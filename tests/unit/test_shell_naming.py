"""mkdir, touchz, mv, test, rm, rmdir."""

from pathlib import Path
from typing import Iterator

import pytest

from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import DirectoryNotEmpty, PermissionDenied, SafeMode


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def test_mkdir(shell: Shell) -> None:
    assert shell.good("mkdir", "/a", "/a/b") == ""
    assert shell.good("mkdir", "-p", "/c/d/e", "/a") == ""
    assert shell.filesystem.tree() == ["/a", "/a/b", "/c", "/c/d", "/c/d/e"]


def test_mkdir_says_what_is_in_the_way(shell: Shell) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.mkdir("/d")
    assert shell.bad("mkdir", "/d") == "mkdir: `/d': File exists\n"
    assert shell.bad("mkdir", "/f") == "mkdir: `/f': Is not a directory\n"
    assert shell.bad("mkdir", "-p", "/f") == "mkdir: `/f': Is not a directory\n"
    assert shell.bad("mkdir", "-p", "/f/x") == "mkdir: /f (is not a directory)\n"
    assert shell.bad("mkdir", "/c/d") == (
        "mkdir: `hdfs://localhost:1800/c': No such file or directory\n"
    )
    assert shell.run("mkdir", "/d", "/new").status == 1
    assert "/new" in shell.filesystem.tree(), "the rest are made"


def test_names_are_literal(shell: Shell) -> None:
    for name in ("a b", "%41", "#x", "a+b", "é", "x:y"):
        shell.good("mkdir", f"/{name}")
        assert f"/{name}" in shell.filesystem.tree()
    shell.good("mkdir", "/st\\*r")
    assert "/st*r" in shell.filesystem.tree()
    assert "UTF-8" in shell.bad("mkdir", "/x\udcff")


def test_messages_of_the_namenode_come_through(shell: Shell) -> None:
    shell.filesystem.fail("mkdir", SafeMode("Cannot create directory /x. In safe mode."))
    assert shell.bad("mkdir", "/x") == "mkdir: Cannot create directory /x. In safe mode.\n"


def test_touchz(shell: Shell) -> None:
    shell.good("touchz", "/f")
    before = shell.filesystem.stat("/f").mtime_ms
    shell.good("touchz", "/f")
    assert shell.filesystem.stat("/f").mtime_ms > before
    shell.filesystem.write("/full", b"x")
    shell.filesystem.mkdir("/d")
    assert shell.bad("touchz", "/full") == "touchz: `/full': Not a zero-length file\n"
    assert shell.bad("touchz", "/d") == "touchz: `/d': Is a directory\n"
    assert shell.bad("touchz", "/no/f") == (
        "touchz: `/no/f': No such file or directory: `hdfs://localhost:1800/no/f'\n"
    )
    assert shell.filesystem.contents("/full") == b"x"


def test_new_files_get_what_d_defines(shell: Shell) -> None:
    shell.good("-D", "dfs.replication=4", "-Ddfs.block.size=2k", "touchz", "/f")
    assert shell.good("stat", "%r %o", "/f") == "4 2048\n"
    error = shell.bad("-D", "dfs.replication=many", "touchz", "/g", status=255)
    assert error.startswith('-touchz: For input string: "many"\n')
    assert shell.bad("-D", "dfs.replication=1000", "touchz", "/g") == (
        "touchz: Requested replication factor of 1000 exceeds maximum of 512 for /g\n"
    )


def test_mv(shell: Shell) -> None:
    shell.filesystem.write("/a", b"a")
    shell.filesystem.write("/d/x", b"x")
    shell.good("mv", "/a", "/b")
    assert shell.filesystem.contents("/b") == b"a"
    shell.good("mv", "/b", "/d")
    assert shell.filesystem.contents("/d/b") == b"a"
    shell.good("mv", "/d", "/e")
    assert shell.filesystem.tree() == ["/e", "/e/b", "/e/x"]
    shell.filesystem.mkdir("/t")
    shell.good("mv", "/e/*", "/t")
    assert shell.filesystem.tree() == ["/e", "/t", "/t/b", "/t/x"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["/a", "/f"], "`/f': File exists"),
        (["/f", "/f"], "`/f': File exists"),
        (["/f", "/d"], "`/d/f': File exists"),
        (["/d", "/d/sub"], "`/d' to `/d/sub/d': is a subdirectory of itself"),
        (["/d", "/d"], "`/d' to `/d/d': is a subdirectory of itself"),
        (["/d/sub", "/d"], "`/d/sub' to `hdfs://localhost:1800/d/sub': are identical"),
        (["/no", "/new"], "`/no': No such file or directory"),
        (["/a", "/f", "/new"], "`/new': No such file or directory"),
        (["/a", "/d", "/f"], "`/f': Is not a directory"),
        (["/a", "/x/y"], "`/x/y': No such file or directory: `hdfs://localhost:1800/x/y'"),
        (["/a", "/*"], "`/*': Too many matches"),
        (["/a", "/new/"], "`/new/': No such file or directory: `hdfs://localhost:1800/new'"),
    ],
)
def test_mv_never_overwrites(shell: Shell, arguments: list, message: str) -> None:
    shell.filesystem.write("/a")
    shell.filesystem.write("/f")
    shell.filesystem.write("/d/f")
    shell.filesystem.mkdir("/d/sub")
    before = shell.filesystem.tree()
    assert shell.bad("mv", *arguments) == f"mv: {message}\n"
    assert shell.filesystem.tree() == before


def test_mv_does_what_it_can(shell: Shell) -> None:
    shell.filesystem.write("/a")
    shell.filesystem.mkdir("/d")
    assert shell.bad("mv", "/no", "/a", "/d") == "mv: `/no': No such file or directory\n"
    assert shell.filesystem.tree() == ["/d", "/d/a"]


def test_mv_stays_within_a_file_system(shell: Shell) -> None:
    shell.filesystem.write("/a")
    error = shell.bad("mv", "/a", f"file://{shell.folder}/a")
    assert error == "mv: `/a': Does not match target filesystem\n"
    shell.local("x", b"1")
    shell.good("mv", f"file://{shell.folder}/x", f"file://{shell.folder}/y")
    assert (shell.folder / "y").read_bytes() == b"1"


def test_the_exit_status_of_test(shell: Shell) -> None:
    shell.filesystem.write("/f", b"x")
    shell.filesystem.write("/z")
    shell.filesystem.mkdir("/d")
    yes = {"-d": ["/d"], "-e": ["/d", "/f", "/z"], "-f": ["/f", "/z"], "-s": ["/f"],
           "-z": ["/d", "/z"]}
    for flag, paths in yes.items():
        found = [path for path in ("/d", "/f", "/z") if shell.run("test", flag, path).status == 0]
        assert found == paths, flag
        assert shell.run("test", flag, "/no") == (1, "", "")
    assert shell.bad("test", "/f", status=255).startswith("-test: No test flag given\n")
    assert "Only one test flag is allowed" in shell.bad("test", "-e", "-d", "/f", status=255)


def test_rm(shell: Shell) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.write("/d/x")
    shell.filesystem.write("/user/root/r")
    assert shell.good("rm", "/f") == "Deleted /f\n"
    assert shell.bad("rm", "/d") == "rm: `/d': Is a directory\n"
    assert shell.good("rm", "-r", "-skipTrash", "/d") == "Deleted /d\n"
    assert shell.good("rm", "r") == "Deleted r\n"
    assert shell.filesystem.tree() == ["/user", "/user/root"]


def test_rm_of_what_is_missing(shell: Shell) -> None:
    assert shell.bad("rm", "/no") == "rm: `/no': No such file or directory\n"
    assert shell.bad("rm", "/n*") == "rm: `/n*': No such file or directory\n"
    assert shell.good("rm", "-f", "/no", "/n*") == ""
    assert shell.bad("rm", "-r", "/") == "rm: `/': Input/output error\n"
    assert shell.bad("rm", "/") == "rm: `/': Is a directory\n"


def test_rm_goes_on_after_an_error(shell: Shell) -> None:
    shell.filesystem.write("/a")
    shell.filesystem.write("/b")
    result = shell.run("rm", "/a", "/no", "/b")
    assert result == (
        1, "Deleted /a\nDeleted /b\n", "rm: `/no': No such file or directory\n"
    )  # fmt: skip
    shell.filesystem.write("/c")
    shell.filesystem.fail("delete", PermissionDenied("Permission denied: user=x"))
    assert shell.bad("rm", "-f", "/c") == "rm: Permission denied: user=x\n"


def test_rm_asks_before_very_many_files_go(shell: Shell) -> None:
    for number in range(3):
        shell.filesystem.write(f"/d/{number}")
    limit = ("-D", "hadoop.shell.delete.limit.num.files=3")
    no = shell.run(*limit, "rm", "-r", "-safely", "/d", stdin=b"what\nn\n")
    assert no.status == 0 and "/d" in shell.filesystem.tree()
    assert "Proceed deleting 3 files? (Y or N)" in no.err and "aborted" in no.err
    end = shell.run(*limit, "rm", "-r", "-safely", "/d", stdin=b"")
    assert end.status == 0 and "/d" in shell.filesystem.tree()
    yes = shell.run(*limit, "rm", "-r", "-safely", "/d", stdin=b"y\n")
    assert yes.status == 0 and shell.filesystem.tree() == []


def test_rmdir(shell: Shell) -> None:
    shell.filesystem.write("/d/f")
    shell.filesystem.mkdir("/e")
    assert shell.bad("rmdir", "/d") == "rmdir: `/d': Directory is not empty\n"
    assert shell.bad("rmdir", "/d/f") == "rmdir: `/d/f': Is not a directory\n"
    assert shell.bad("rmdir", "/no") == "rmdir: `/no': No such file or directory\n"
    assert shell.good("rmdir", "--ignore-fail-on-non-empty", "/d") == ""
    assert shell.good("rmdir", "/e") == ""
    assert shell.filesystem.tree() == ["/d", "/d/f"]


def test_the_root_stays(shell: Shell) -> None:
    shell.filesystem.mkdir("/d")
    assert shell.bad("rmdir", "/") == "rmdir: `/': Directory is not empty\n"
    for command in ("mv", "cp"):
        assert shell.bad(command, "/", "/d") == (
            f"{command}: `/' to `/d/': is a subdirectory of itself\n")


def test_a_uri_that_says_all_is_not_said_again(shell: Shell) -> None:
    shell.filesystem.write("/f")
    uri = "hdfs://localhost:1800/no/"
    assert shell.bad("mv", "/f", uri) == f"mv: `{uri}': No such file or directory\n"


def test_below_a_file_is_nothing_and_can_nothing_be(shell: Shell) -> None:
    shell.filesystem.write("/f")
    for words in (["rm", "-f", "/f/x"], ["touch", "-c", "/f/x"]):
        assert shell.good(*words) == ""
    for command in ("rm", "rmdir", "cat", "stat", "du", "count", "find", "checksum", "tail"):
        assert shell.bad(command, "/f/x") == f"{command}: `/f/x': No such file or directory\n"
    assert shell.bad("test", "-e", "/f/x") == ""
    for command in ("mkdir", "touchz", "touch"):
        assert shell.bad(command, "/f/x") == f"{command}: /f (is not a directory)\n"


def test_rmdir_of_what_was_empty_a_moment_ago(shell: Shell) -> None:
    shell.filesystem.mkdir("/d")
    shell.filesystem.fail("delete", DirectoryNotEmpty("/d is non empty"))
    assert shell.bad("rmdir", "/d") == "rmdir: `/d': Directory is not empty\n"
    assert shell.good("rmdir", "--ignore-fail-on-non-empty", "/d") == ""


def test_an_empty_alternative_is_no_name(shell: Shell) -> None:
    shell.filesystem.write("/d/a")
    shell.filesystem.write("/d/b/c")
    assert shell.good("ls", "-d", "-C", "/d/{a,}") == "/d/a\n"
    assert shell.good("ls", "-d", "-C", "/d/{a,b/{c,}}") == "/d/a\n/d/b/c\n"
    assert shell.bad("rm", "-r", "/d/{}") == "rm: `/d/{}': No such file or directory\n"
    assert shell.good("rm", "-r", "/d/{,a}") == "Deleted /d/a\n"
    assert shell.filesystem.tree() == ["/d", "/d/b", "/d/b/c"]
    assert shell.good("ls", "-d", "-C", "{/d/a,/d/b}") == "../../d/b\n"
