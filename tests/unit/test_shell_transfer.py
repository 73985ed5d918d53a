"""put, get, cp, moveFromLocal."""

import os
import struct
import threading
import zlib
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import NotEnoughReplicas, PathExists

BINARY = bytes(range(256)) * 20


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def test_put_a_file(shell: Shell) -> None:
    shell.local("x", BINARY)
    assert shell.good("put", "x", "/f") == ""
    assert shell.filesystem.contents("/f") == BINARY
    shell.filesystem.mkdir("/d")
    shell.good("put", "x", "/d")
    shell.good("copyFromLocal", f"file://{shell.folder}/x", "/d/y")
    assert shell.filesystem.tree() == ["/d", "/d/x", "/d/y", "/f"]


def test_put_makes_missing_directories(shell: Shell) -> None:
    shell.local("x", b"1")
    shell.good("put", "x", "/new/dir/f")
    shell.good("put", "x", "f")
    assert shell.filesystem.contents("/new/dir/f") == b"1"
    assert shell.filesystem.contents("/user/root/f") == b"1"
    shell.good("put", "x")
    assert shell.filesystem.contents("/user/root/x") == b"1"


def test_put_overwrites_only_when_told(shell: Shell) -> None:
    shell.local("x", b"new")
    shell.filesystem.write("/f", b"old")
    assert shell.bad("put", "x", "/f") == "put: `/f': File exists\n"
    assert shell.filesystem.contents("/f") == b"old"
    shell.good("put", "-f", "x", "/f")
    assert shell.filesystem.contents("/f") == b"new"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["no", "/f"], "`no': No such file or directory"),
        (["x", "y", "/new"], "`/new': No such file or directory"),
        (["x", "y", "/old"], "`/old': Is not a directory"),
        (["x", "/d"], "`/d/x': File exists"),
        (["-f", "y", "/d"], "`/d/y': File exists"),
        (["x", "/old/z"], "/old (is not a directory)"),
        (["x", "/*"], "`/*': Too many matches"),
        (["x", "/n*"], "`/n*': No such file or directory"),
        (["x", "/new/"], "`/new/': No such file or directory: `hdfs://localhost:1800/new'"),
    ],
)
def test_put_leaves_nothing_when_it_cannot(shell: Shell, arguments: list, message: str) -> None:
    shell.local("x")
    shell.local("y")
    shell.filesystem.write("/old")
    shell.filesystem.write("/d/x")
    shell.filesystem.mkdir("/d/y")
    before = shell.filesystem.tree()
    assert shell.bad("put", *arguments) == f"put: {message}\n"
    assert shell.filesystem.tree() == before


def test_the_other_sources_are_still_put(shell: Shell) -> None:
    shell.local("x", b"1")
    shell.local("z", b"2")
    shell.filesystem.mkdir("/d")
    assert shell.bad("put", "x", "no", "z", "/d") == "put: `no': No such file or directory\n"
    assert shell.filesystem.tree() == ["/d", "/d/x", "/d/z"]


def test_local_names_are_literal(shell: Shell) -> None:
    shell.filesystem.mkdir("/d")
    for name in ("a b", "*", "[x]", "%41", "#", "é", "12:30"):
        shell.local(name, name.encode())
        shell.good("put", name, "/d")
        assert shell.filesystem.contents(f"/d/{name}") == name.encode()


def test_a_local_name_that_is_no_utf_8(shell: Shell) -> None:
    (shell.folder / "a\udcff").write_bytes(b"1")
    shell.filesystem.mkdir("/d")
    error = shell.bad("put", "a\udcff", "/d")
    assert error.startswith("put: `a") and error.endswith(": The name is not valid UTF-8\n")
    shell.good("put", "a\udcff", "/d/fine")
    shell.good("get", "/d/fine", "b\udcfe")
    assert (shell.folder / "b\udcfe").read_bytes() == b"1"


def test_a_tree_with_names_that_are_no_utf_8(shell: Shell) -> None:
    (shell.folder / "t/d\udcff").mkdir(parents=True)
    for name in ("t/a", "t/b\udcff", "t/c", "t/d\udcff/e"):
        (shell.folder / name).write_bytes(b"1")
    lines = shell.bad("put", "t", "/new").splitlines()
    assert [line[:8] for line in lines] == ["put: `t/"] * 2
    assert all(line.endswith(": The name is not valid UTF-8") for line in lines)
    assert shell.filesystem.tree() == ["/new", "/new/a", "/new/c"]


def test_put_a_tree(shell: Shell) -> None:
    shell.local("t/a", b"a")
    shell.local("t/sub/b", b"b")
    (shell.folder / "t/empty").mkdir()
    shell.good("put", "t", "/new/t")
    copied = ["/new", "/new/t", "/new/t/a", "/new/t/empty", "/new/t/sub", "/new/t/sub/b"]
    assert shell.filesystem.tree() == copied
    assert shell.bad("put", "t", "/new") == (
        "put: `/new/t/a': File exists\nput: `/new/t/sub/b': File exists\n"
    )
    shell.good("put", "-f", "-t", "4", "t", "/new")
    assert shell.filesystem.tree() == sorted(copied)


def test_put_many_files_at_once(shell: Shell) -> None:
    names = [f"f{number}" for number in range(20)]
    for name in names:
        shell.local(name, name.encode())
    shell.filesystem.mkdir("/d")
    shell.good("put", "-t", "4", *names, "/d")
    assert shell.filesystem.tree() == ["/d"] + sorted(f"/d/{name}" for name in names)
    assert shell.bad("put", "-t", "4", *names, "/d").count("File exists") == 20
    assert 'For input string: "x"' in shell.bad("put", "-t", "x", "f1", "/d", status=255)


def test_put_standard_input(shell: Shell) -> None:
    shell.good("put", "-", "/new/f", stdin=BINARY)
    assert shell.filesystem.contents("/new/f") == BINARY
    assert shell.bad("put", "-", "/new/f", stdin=b"x") == "put: `/new/f': File exists\n"
    shell.good("put", "-f", "-", "/new/f", stdin=b"")
    assert shell.filesystem.contents("/new/f") == b""
    assert shell.bad("put", "-", "f", "/new").count("No such file or directory") == 2


def test_put_with_replication_and_block_size(shell: Shell) -> None:
    shell.local("x", b"1")
    shell.good("-D", "dfs.replication=2", "-D", "dfs.blocksize=4096", "put", "x", "/f")
    shell.good("put", "-l", "-d", "x", "/lazy")
    assert shell.good("stat", "%r %o", "/f", "/lazy") == "2 4096\n1 1024\n"


def test_put_reports_what_the_cluster_says(shell: Shell) -> None:
    shell.local("x", b"1")
    shell.filesystem.fail("put", NotEnoughReplicas("There are 0 datanode(s) running"))
    assert shell.bad("put", "x", "/f") == "put: There are 0 datanode(s) running\n"
    shell.filesystem.fail("put", PathExists("/f already exists"))
    assert shell.bad("put", "x", "/f") == "put: `/f': File exists\n"


def test_put_from_a_pipe(shell: Shell) -> None:
    pipe = shell.folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(BINARY,))
    writer.start()
    shell.good("put", "pipe", "/f")
    writer.join()
    assert shell.filesystem.contents("/f") == BINARY


def test_move_from_local(shell: Shell) -> None:
    shell.local("x", b"1")
    shell.local("t/a", b"a")
    shell.local("t/sub/b", b"b")
    shell.good("moveFromLocal", "x", "t", "/")
    assert shell.filesystem.tree() == ["/t", "/t/a", "/t/sub", "/t/sub/b", "/x"]
    assert os.listdir(shell.folder) == []


def test_move_from_local_keeps_what_was_not_copied(shell: Shell) -> None:
    shell.local("x", b"1")
    shell.local("t/a", b"a")
    shell.filesystem.write("/x", b"old")
    shell.filesystem.mkdir("/t")
    assert shell.bad("moveFromLocal", "x", "/x") == "moveFromLocal: `/x': File exists\n"
    assert shell.bad("moveFromLocal", "t", "/") == "moveFromLocal: `/t': File exists\n"
    assert (shell.folder / "x").exists() and (shell.folder / "t/a").exists()


def test_get_without_a_local_name_writes_the_bytes(shell: Shell) -> None:
    shell.filesystem.write("/f", BINARY)
    out = shell.good("get", "/f")
    assert out.encode("utf-8", "surrogateescape") == BINARY
    assert shell.bad("get", "/") == "get: `/': Is a directory\n"
    assert shell.bad("get", "/no") == "get: `/no': No such file or directory\n"


def test_copy_to_local_without_a_local_name_makes_a_file(shell: Shell) -> None:
    shell.filesystem.write("/f", BINARY)
    assert shell.good("copyToLocal", "/f") == ""
    assert (shell.folder / "f").read_bytes() == BINARY


def test_get_a_file(shell: Shell) -> None:
    shell.filesystem.write("/f", BINARY)
    shell.filesystem.write("/é x", b"1")
    assert shell.good("get", "/f", "x") == ""
    assert (shell.folder / "x").read_bytes() == BINARY
    (shell.folder / "d").mkdir()
    shell.good("copyToLocal", "/*", "d")
    assert sorted(os.listdir(shell.folder / "d")) == ["f", "é x"]
    shell.good("get", "/f", ".")
    assert (shell.folder / "f").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["/f", "x"], "`x': File exists"),
        (["/f", "d"], "`d/f': File exists"),
        (["/f", "/no", "x"], "`x': Is not a directory"),
        (["/f", "/no", "new"], "`new': No such file or directory"),
        (["/no", "new"], "`/no': No such file or directory"),
        (["/n*", "new"], "`/n*': No such file or directory"),
    ],
)
def test_get_leaves_local_files_alone(shell: Shell, arguments: list, message: str) -> None:
    shell.filesystem.write("/f", b"new")
    shell.local("x", b"old")
    shell.local("d/f", b"old")
    assert shell.bad("get", *arguments) == f"get: {message}\n"
    assert sorted(os.listdir(shell.folder)) == ["d", "x"]
    assert (shell.folder / "x").read_bytes() == b"old"


def test_get_into_a_missing_directory(shell: Shell) -> None:
    shell.filesystem.write("/f", b"new")
    assert shell.bad("get", "/f", "no/x") == (
        f"get: `no/x': No such file or directory: `file:{shell.folder}/no/x'\n"
    )


def test_an_absolute_local_name_becomes_a_whole_uri(shell: Shell) -> None:
    shell.filesystem.write("/f", b"new")
    path = f"{shell.folder}/no/x"
    assert shell.bad("get", "/f", path) == (
        f"get: `{path}': No such file or directory: `file://{path}'\n")


def test_get_overwrites_when_told(shell: Shell) -> None:
    shell.filesystem.write("/f", b"new")
    shell.local("x", b"old")
    shell.good("get", "-f", "/f", "x")
    assert (shell.folder / "x").read_bytes() == b"new"


def test_get_a_tree(shell: Shell) -> None:
    shell.filesystem.write("/t/a", b"a")
    shell.filesystem.write("/t/sub/b", b"b")
    shell.good("get", "-t", "2", "/t", "out")
    shell.good("get", "/t", ".")
    for folder in ("out", "t"):
        assert (shell.folder / folder / "a").read_bytes() == b"a"
        assert (shell.folder / folder / "sub/b").read_bytes() == b"b"


def test_get_keeps_times_and_mode(shell: Shell) -> None:
    shell.filesystem.write("/t/f", b"1")
    shell.filesystem.set_mode("/t/f", 0o600)
    shell.good("get", "-p", "/t", "t")
    for name in ("/t", "/t/f"):
        status = shell.filesystem.stat(name)
        found = (shell.folder / name[1:]).stat()
        assert found.st_mode & 0o777 == status.mode
        assert found.st_mtime_ns == status.mtime_ms * 1_000_000
        assert found.st_atime_ns == status.atime_ms * 1_000_000


def test_get_writes_checksums_beside(shell: Shell) -> None:
    shell.filesystem.write("/f", BINARY[:1000])
    shell.good("get", "-crc", "-ignoreCrc", "/f", "x")
    sums = [zlib.crc32(BINARY[:512]), zlib.crc32(BINARY[512:1000])]
    assert (shell.folder / ".x.crc").read_bytes() == b"crc\0" + struct.pack(">III", 512, *sums)


def test_get_to_a_device(shell: Shell) -> None:
    shell.filesystem.write("/f", BINARY)
    shell.good("get", "-f", "/f", "/dev/null")
    assert not Path("/dev/null").is_file()


def test_cp(shell: Shell) -> None:
    shell.filesystem.write("/a", BINARY, replication=3)
    shell.good("cp", "/a", "/b")
    assert shell.filesystem.contents("/b") == BINARY
    assert shell.good("stat", "%r", "/b") == "1\n"
    shell.filesystem.write("/t/sub/x", b"x")
    shell.good("cp", "/t", "/copy")
    shell.good("cp", "/t", "/a", "/copy")
    assert shell.filesystem.contents("/copy/t/sub/x") == b"x"
    assert shell.filesystem.contents("/copy/sub/x") == b"x"
    assert shell.filesystem.contents("/copy/a") == BINARY


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["/a", "/f"], "`/f': File exists"),
        (["/a", "/a"], "`/a': File exists"),
        (["/a", "/x/y"], "`/x/y': No such file or directory: `hdfs://localhost:1800/x/y'"),
        (["/no", "/x"], "`/no': No such file or directory"),
        (["/d", "/d"], "`/d' to `/d/d': is a subdirectory of itself"),
        (["/d", "/d/e"], "`/d' to `/d/e': is a subdirectory of itself"),
        (["/d/s", "/d"], "`/d/s' to `hdfs://localhost:1800/d/s': are identical"),
    ],
)
def test_cp_refuses(shell: Shell, arguments: list, message: str) -> None:
    shell.filesystem.write("/a")
    shell.filesystem.write("/f")
    shell.filesystem.write("/d/s/x")
    before = shell.filesystem.tree()
    assert shell.bad("cp", *arguments) == f"cp: {message}\n"
    assert shell.filesystem.tree() == before


def test_cp_overwrites_when_told(shell: Shell) -> None:
    shell.filesystem.write("/a", b"a")
    shell.filesystem.write("/f", b"f")
    shell.good("cp", "-f", "/a", "/f")
    assert shell.filesystem.contents("/f") == b"a"


def test_cp_from_and_to_this_machine(shell: Shell) -> None:
    shell.local("x", BINARY)
    here = f"file://{shell.folder}"
    shell.good("cp", f"{here}/x", "/f")
    shell.good("cp", "/f", f"{here}/y")
    shell.good("cp", f"{here}/y", f"{here}/z")
    assert shell.filesystem.contents("/f") == BINARY
    assert (shell.folder / "y").read_bytes() == (shell.folder / "z").read_bytes() == BINARY
    assert sorted(os.listdir(shell.folder)) == ["x", "y", "z"]
    assert shell.bad("cp", "/f", f"{here}/y") == f"cp: `{here}/y': File exists\n"


def test_move_to_local_was_never_made(shell: Shell) -> None:
    assert shell.bad("moveToLocal", "/f", "x") == (
        "moveToLocal: Option '-moveToLocal' is not implemented yet.\n"
    )


def test_the_definitions_of_new_files_are_checked(shell: Shell) -> None:
    local = str(shell.local("x", b"1"))

    def put(definition: str, status: int) -> str:
        return shell.bad("-D", definition, "put", local, "/x", status=status).splitlines()[0]

    assert put("dfs.replication=0", 1) == (
        "put: Requested replication factor of 0 is less than the required minimum of 1")
    assert "-1 is less than the required minimum of 1" in put("dfs.replication=-1", 1)
    assert put("dfs.blocksize=0", 1).endswith("(dfs.namenode.fs-limits.min-block-size): 0 < 512")
    assert put("dfs.replication=x", 255) == '-put: For input string: "x"'
    assert put("dfs.blocksize=1000", 255) == (
        "-put: Invalid values: dfs.bytes-per-checksum (=512) must divide block size (=1000).")
    assert put("dfs.blocksize=1x", 255).startswith("-put: Invalid size prefix 'x' in '1x'.")
    shell.good("-D", "dfs.blocksize=4k", "put", local, "/x")
    assert shell.good("stat", "%o", "/x") == "4096\n"


def test_any_store_may_be_at_either_end(shell: Shell) -> None:
    shell.filesystem.write("/f", b"1")
    shell.good("put", "hdfs:///f", "/g")
    shell.good("get", "/f", "pyhdfs:///h")
    assert shell.filesystem.contents("/g") == shell.filesystem.contents("/h") == b"1"
    assert shell.bad("put", "hdfs:///no", "/i") == "put: `hdfs:///no': No such file or directory\n"
