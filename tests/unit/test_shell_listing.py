"""ls, stat, find."""

import json
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import PermissionDenied

HERE = "localhost:1800"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def fill(shell: Shell) -> None:
    """A small tree; each of these is a minute later than the one before, from 09:39."""
    shell.filesystem.write("/d/e/g", b"x" * 3_000_000)
    shell.filesystem.write("/d/empty")
    shell.filesystem.write("/d/f", b"y" * 5, replication=3)
    shell.filesystem.mkdir("/d/.hidden")


def test_a_directory_is_listed_in_columns(shell: Shell) -> None:
    fill(shell)
    assert shell.good("ls", "/d").splitlines() == [
        "Found 4 items",
        "drwxr-xr-x   - root supergroup          0 2025-11-20 09:42 /d/.hidden",
        "drwxr-xr-x   - root supergroup          0 2025-11-20 09:39 /d/e",
        "-rw-r--r--   1 root supergroup          0 2025-11-20 09:40 /d/empty",
        "-rw-r--r--   3 root supergroup          5 2025-11-20 09:41 /d/f",
    ]


def test_widths_follow_the_widest(shell: Shell) -> None:
    fill(shell)
    shell.filesystem.write("/d/long", b"")
    shell.filesystem.node("/d/long").owner = "somebody"
    shell.filesystem.node("/d/long").replication = 1000
    lines = shell.good("ls", "-h", "/d").splitlines()
    assert lines[4] == "-rw-r--r--    3 root     supergroup          5 2025-11-20 09:41 /d/f"
    assert lines[5] == "-rw-r--r-- 1000 somebody supergroup          0 2025-11-20 09:43 /d/long"


def test_columns_never_become_narrower(shell: Shell) -> None:
    for name, owner in (("a", "me"), ("d/f", "somebody"), ("e", "me")):
        shell.filesystem.write(f"/{name}")
        shell.filesystem.node(f"/{name}").owner = owner
    owners = [line[15:25] for line in shell.good("ls", "-R", "/").splitlines()]
    assert owners == ["me   super", "root super", "somebody s", "me       s"]
    owners = [line[15:25] for line in shell.good("ls", "/a", "/d/f", "/e").splitlines()]
    assert owners == ["me supergr", "somebody s", "me       s"]


def test_sizes_for_people(shell: Shell) -> None:
    fill(shell)
    assert "root supergroup      2.9 M 2025" in shell.good("ls", "-h", "/d/e")


def test_trees_are_listed_before_what_follows_them(shell: Shell) -> None:
    fill(shell)
    assert shell.good("ls", "-R", "-C", "/").splitlines() == [
        "/d", "/d/.hidden", "/d/e", "/d/e/g", "/d/empty", "/d/f",
    ]  # fmt: skip
    assert "Found" not in shell.good("ls", "-R", "/d")


def test_files_and_directories_themselves(shell: Shell) -> None:
    fill(shell)
    assert shell.good("ls", "/d/f", "/d/empty").count("Found") == 0
    assert shell.good("ls", "-d", "-C", "/d", "/d/e") == "/d\n/d/e\n"
    assert shell.good("ls", "/d/.hidden") == ""


def test_what_is_equal_stays_in_the_order_of_names(shell: Shell) -> None:
    for name, size in (("b", 1), ("a", 1), ("c", 2), ("d", 2)):
        shell.filesystem.write(f"/{name}", bytes(size))
        shell.filesystem.set_times(f"/{name}", 1_000 * size, 1_000 * size)
    for order in ("-t", "-S"):
        assert shell.good("ls", "-C", order, "/").split() == ["/c", "/d", "/a", "/b"]
        assert shell.good("ls", "-C", order, "-r", "/").split() == ["/a", "/b", "/c", "/d"]
    assert shell.good("ls", "-C", "-r", "/").split() == ["/d", "/c", "/b", "/a"]


def test_trees_keep_the_order_of_names(shell: Shell) -> None:
    for name, size in (("b", 1), ("a", 3), ("c", 2)):
        shell.filesystem.write(f"/d/{name}", bytes(size))
    for order in ("-t", "-S", "-r"):
        assert shell.good("ls", "-C", "-R", order, "/d") == "/d/a\n/d/b\n/d/c\n"


def test_orders(shell: Shell) -> None:
    for name, size in (("b", 1), ("a", 3), ("c", 2)):
        shell.filesystem.write(f"/{name}", b"x" * size)
    assert shell.good("ls", "-C", "/").split() == ["/a", "/b", "/c"]
    assert shell.good("ls", "-C", "-r", "/").split() == ["/c", "/b", "/a"]
    assert shell.good("ls", "-C", "-t", "/").split() == ["/c", "/a", "/b"]
    assert shell.good("ls", "-C", "-S", "/").split() == ["/a", "/c", "/b"]
    assert shell.good("ls", "-C", "-S", "-r", "/").split() == ["/b", "/c", "/a"]


def test_time_of_access_and_redundancy(shell: Shell) -> None:
    shell.filesystem.write("/f")
    shell.filesystem.node("/f").mtime_ms = 59_000
    assert "1970-01-01 00:00" in shell.good("ls", "/")
    assert "1970-01-01 00:01" in shell.good("ls", "-u", "/")
    assert "supergroup Replicated          0" in shell.good("ls", "-e", "/")


def test_sticky_bit_and_unprintable_names(shell: Shell) -> None:
    shell.filesystem.mkdir("/t\n")
    shell.filesystem.set_mode("/t\n", 0o1777)
    assert shell.good("ls", "-q", "/").splitlines()[1].startswith("drwxrwxrwt ")
    assert shell.good("ls", "-q", "-C", "/") == "/t?\n"
    assert shell.good("ls", "-C", "/") == "/t\n\n"


def test_paths_keep_the_form_that_was_typed(shell: Shell) -> None:
    shell.filesystem.write("/user/root/dir/x")
    shell.filesystem.write("/user/bob/y")
    assert shell.good("ls", "-C") == "dir\n"
    assert shell.good("ls", "-C", "dir/") == "dir/x\n"
    assert shell.good("ls", "-C", "./dir/../dir/x") == "dir/x\n"
    assert shell.good("ls", "-C", "..") == "../bob\n../root\n"
    assert shell.good("ls", "-C", "/user//bob/") == "/user/bob/y\n"
    assert shell.good("ls", "-C", "hdfs:///user/bob") == "hdfs:///user/bob/y\n"
    assert shell.good("ls", "-C", f"hdfs://{HERE}/user/bob") == f"hdfs://{HERE}/user/bob/y\n"
    assert shell.good("ls", "-C", f"pyhdfs://{HERE}/user/b*") == f"pyhdfs://{HERE}/user/bob/y\n"
    assert shell.good("ls", "-C", "di*") == "dir/x\n"


def test_globs(shell: Shell) -> None:
    for name in ("a1", "a2", ".a3", "b1", "sub/c1"):
        shell.filesystem.write(f"/g/{name}", b"")
    assert shell.good("ls", "-C", "-d", "/g/*").split() == [
        "/g/.a3", "/g/a1", "/g/a2", "/g/b1", "/g/sub",
    ]  # fmt: skip
    assert shell.good("ls", "-C", "/g/{b,a}[12]").split() == ["/g/a1", "/g/a2", "/g/b1"]
    assert shell.good("ls", "-C", "/{g/sub,x}/c?") == "/g/sub/c1\n"
    assert shell.good("ls", "-C", "/*/*/c1") == "/g/sub/c1\n"
    assert shell.bad("ls", "/g/x*") == "ls: `/g/x*': No such file or directory\n"
    assert shell.bad("ls", "/g/[x") == (
        "ls: Illegal file pattern: error parsing regexp: "
        "Unclosed character class at pos 2: `[x`\n"
    )


def test_what_is_missing(shell: Shell) -> None:
    assert shell.bad("ls").splitlines() == [
        "ls: `.': No such file or directory",
        "ls: relative paths start in /user/root, which does not exist: mkdir -p /user/root makes "
        "it, where only the superuser may do so",
    ]
    assert shell.bad("ls", "/a//b/") == "ls: `/a//b/': No such file or directory\n"
    assert shell.bad("ls", "", status=255).startswith(
        "-ls: Can not create a Path from an empty string\nUsage: hadoop fs"
    )
    assert shell.bad("ls", "s3://b/x") == 'ls: No FileSystem for scheme "s3"\n'
    shell.filesystem.write("/f")
    assert shell.bad("ls", "/f/x") == "ls: `/f/x': No such file or directory\n"


def test_the_other_arguments_are_still_done(shell: Shell) -> None:
    shell.filesystem.write("/f")
    result = shell.run("ls", "-C", "/no", "/f", "/x*", "/f")
    assert (result.status, result.out) == (1, "/f\n/f\n")
    assert result.err == (
        "ls: `/x*': No such file or directory\nls: `/no': No such file or directory\n"
    )


def test_a_directory_that_may_not_be_read(shell: Shell) -> None:
    shell.filesystem.write("/d/f")
    shell.filesystem.fail("list", PermissionDenied("Permission denied: user=x, /a\nb"))
    assert shell.bad("ls", "-R", "/d") == "ls: Permission denied: user=x, /a\\nb\n"


def test_local_files_can_be_listed(shell: Shell) -> None:
    shell.local("x", b"123")
    (shell.folder / "caf\udce9").write_bytes(b"")
    out = shell.good("ls", "-C", f"file://{shell.folder}")
    assert out == f"file://{shell.folder}/caf\udce9\nfile://{shell.folder}/x\n"
    assert shell.good("-fs", "file:///", "ls", "-C").split() == ["caf\udce9", "x"]


def test_ls_as_json(shell: Shell) -> None:
    fill(shell)
    rows = json.loads(shell.good("ls", "--json", "/d"))
    assert [row["path"] for row in rows] == ["/d/.hidden", "/d/e", "/d/empty", "/d/f"]
    assert rows[3] == {
        "path": "/d/f", "type": "file", "length": 5, "replication": 3, "block_size": 1024,
        "owner": "root", "group": "supergroup", "mode": "644",
        "modified_ms": 1_763_631_671_000, "accessed_ms": 1_763_631_672_000,
    }  # fmt: skip
    assert json.loads(shell.good("ls", "--json", "/d/.hidden")) == []


def test_stat(shell: Shell) -> None:
    fill(shell)
    assert shell.good("stat", "/d/f") == "2025-11-20 09:41:11\n"
    assert shell.good("stat", "%n %b %r %o %F", "/d/f", "/d") == (
        "f 5 3 1024 regular file\nd 0 0 0 directory\n"
    )
    assert shell.good("stat", "%n", "/") == "\n"
    assert shell.good("stat", "-R", "%n", "/d/e") == "e\ng\n"
    assert shell.bad("stat", "/no") == "stat: `/no': No such file or directory\n"
    assert "Not enough arguments: expected 1 but got 0" in shell.bad("stat", "%n", status=255)
    assert json.loads(shell.good("stat", "--json", "/d/f"))[0]["length"] == 5


def test_find(shell: Shell) -> None:
    fill(shell)
    shell.filesystem.write("/user/root/F")
    assert shell.good("find", "/d").split() == [
        "/d", "/d/.hidden", "/d/e", "/d/e/g", "/d/empty", "/d/f",
    ]  # fmt: skip
    assert shell.good("find", "/d", "/user", "-name", "f") == "/d/f\n"
    assert shell.good("find", "/", "-iname", "F").split() == ["/d/f", "/user/root/F"]
    assert shell.good("find", "-name", "F") == "F\n"
    assert shell.good("find", ".") == ".\nF\n"
    assert shell.good("find", "/d", "-name", "e*", "-a", "-name", "*y") == "/d/empty\n"
    assert shell.good("find", "/d/e", "-print0") == "/d/e\0/d/e/g\0"
    assert shell.good("find", "/d", "-name", "{g,f}", "-print").split() == ["/d/e/g", "/d/f"]


def test_find_refuses_what_it_does_not_know(shell: Shell) -> None:
    assert shell.bad("find", "/", "-bogus") == "find: Unexpected argument: -bogus\n"
    assert shell.bad("find", "/no") == "find: `/no': No such file or directory\n"
    assert "Not enough arguments: expected 1 but got 0" in shell.bad("find", status=255)
    assert "Not enough arguments" in shell.bad("find", "/", "-name", status=255)


def test_find_joins_expressions_that_are_there(shell: Shell) -> None:
    shell.filesystem.write("/f")
    assert shell.good("find", "/", "-name", "f", "-a", "-print", "-and", "-name", "f") == "/f\n"
    for words in (["-a"], ["-name", "f", "-a"], ["-a", "-name", "f"], ["-name", "f", "-a", "-a"]):
        assert shell.bad("find", "/", *words, status=255).startswith("-find: There is no expr")


def test_messages_name_patterns_as_they_are_meant(shell: Shell) -> None:
    assert shell.bad("ls", "/a\\[1\\]") == "ls: `/a[1]': No such file or directory\n"
    assert shell.bad("ls", "/d/{a") == (
        "ls: Illegal file pattern: error parsing regexp: Unclosed group at pos 2: `{a`\n")
