"""Local trees as sources: circles of links, links to nowhere, pipes; files that change; no folder
to stand in; standard input that is closed."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from tests.support.terminal.shell import Shell
from tests.support.clusters.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
DEPTH = 1200


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line in a folder of its own, which holds nothing yet."""
    with Shell(monkeypatch, tmp_path) as made:
        made.filesystem.mkdir("/to")
        yield made


@pytest.mark.parametrize("words", [["put"], ["cp"], ["put", "-t", "2"]])
def test_links_that_lead_back_end(shell: Shell, words: List[str]) -> None:
    shell.local("t/a/f", b"f")
    Path("t/a/loop").symlink_to("..")
    Path("t/self").symlink_to(".")
    Path("t/direct").symlink_to("a")
    source = "t" if words[0] == "put" else f"file://{shell.folder}/t"
    error = shell.bad(*words, source, "/to/t").splitlines()
    assert len(error) == 3 and all("The symbolic links lead in a circle" in line for line in error)
    assert shell.filesystem.tree() == [
        "/to", "/to/t", "/to/t/a", "/to/t/a/f", "/to/t/direct", "/to/t/direct/f"
    ]


def test_other_walks_end_too(shell: Shell) -> None:
    shell.local("t/a/f", b"four")
    Path("t/a/loop").symlink_to("..")
    top = f"file://{shell.folder}/t"
    for words in (["ls", "-R"], ["find"], ["chmod", "-R", "700"], ["stat", "-R"]):
        assert shell.run(*words, top).status == (0 if words[0] == "chmod" else 1)
    assert shell.good("du", "-s", top).startswith("4 ")
    assert shell.good("count", top).split()[:3] == ["2", "2", "4"]


def test_a_tree_is_not_copied_into_itself_by_a_link(shell: Shell) -> None:
    shell.local("t/a/f", b"f")
    Path("back").symlink_to("t/a")
    for words in (["put", "t", f"file://{shell.folder}/back/new"],
                  ["put", "t", f"file://{shell.folder}/back"],
                  ["cp", f"file://{shell.folder}/back/..", f"file://{shell.folder}/back/new"]):
        assert "is a subdirectory of itself" in shell.bad(*words)
    assert os.listdir("t/a") == ["f"]
    shell.good("put", "t", f"file://{shell.folder}/t2")
    assert Path("t2/a/f").read_bytes() == b"f"


def test_a_file_is_not_appended_to_itself(shell: Shell) -> None:
    log = shell.local("log", b"line\n")
    Path("link").symlink_to("log")
    os.link("log", "other")
    for source in ("log", "link", "other"):
        error = shell.bad("appendToFile", source, f"file://{shell.folder}/log")
        assert "is what is appended to" in error
    assert log.read_bytes() == b"line\n"
    shell.good("appendToFile", shell.local("more", b"2\n").name, f"file://{shell.folder}/log")
    assert log.read_bytes() == b"line\n2\n"


@pytest.fixture
def deep(shell: Shell) -> Iterator[str]:
    """The URI of a tree of DEPTH directories and a file of four bytes, which goes afterwards."""
    for _ in range(DEPTH):
        os.mkdir("d")
        os.chdir("d")
    Path("f").write_bytes(b"four")
    os.chdir(shell.folder)
    yield f"file://{shell.folder}/d"
    if os.path.exists("d"):
        # No more than Python can remove.
        os.rename("/".join("d" * (DEPTH // 2)), "rest")
        shutil.rmtree("d")
        shutil.rmtree("rest")


def test_directories_may_be_many_in_a_row(
    shell: Shell, deep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: List[str] = []
    true_samefile = os.path.samefile

    def samefile(one: str, other: str) -> bool:
        compared.append(one)
        return true_samefile(one, other)

    monkeypatch.setattr(os.path, "samefile", samefile)
    assert shell.good("du", "-s", deep).startswith("4 ")
    assert shell.good("count", deep).split()[:3] == [str(DEPTH), "1", "4"]
    assert shell.good("find", deep, "-name", "f").endswith("/d" * DEPTH + "/f\n")
    assert not compared, "the time would grow with the third power of the depth"
    removed = shell.run("rm", "-r", deep)
    # Up to Python 3.12 it cannot be done.
    assert removed.status == 0 or "too many in a row" in removed.err
    assert removed.err.count("\n") == removed.status


def test_links_to_nowhere_are_told(shell: Shell) -> None:
    shell.local("t/f", b"f")
    Path("t/gone").symlink_to("nowhere")
    Path("t/loop").symlink_to("loop")
    error = shell.bad("put", "t", "/to/t").splitlines()
    assert [line.split(": ")[1] for line in error] == ["`t/gone'", "`t/loop'"] or len(error) == 2
    assert "/to/t/f" in shell.filesystem.tree() and len(shell.filesystem.tree()) == 3
    assert "gone" in shell.good("ls", "-C", f"file://{shell.folder}/t")


def test_pipes_and_devices_in_a_tree_are_told(shell: Shell) -> None:
    shell.local("t/f", b"f")
    os.mkfifo("t/pipe")
    Path("t/zero").symlink_to("/dev/zero")
    for words in (["put", "t", "/to/t"], ["cp", f"file://{shell.folder}/t", "/to/u"],
                  ["put", "-t", "2", "t", "/to/v"]):
        error = shell.bad(*words).splitlines()
        assert len(error) == 2 and all("Not an ordinary file" in line for line in error)
        assert f"{words[-1]}/f" in shell.filesystem.tree()
    assert len(shell.filesystem.tree()) == 7


def test_what_is_behind_a_met_link_is_not_changed(shell: Shell) -> None:
    outside = shell.local("outside/f", b"f")
    outside.chmod(0o644)
    shell.local("t/x")
    Path("t/link").symlink_to("../outside")
    Path("t/file").symlink_to("../outside/f")
    shell.good("chmod", "-R", "600", f"file://{shell.folder}/t") if os.getuid() else None
    shell.run("chmod", "-R", "700", f"file://{shell.folder}/t")
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


# -- moveFromLocal.


def test_what_is_behind_a_link_is_not_moved_away(shell: Shell) -> None:
    outside = shell.local("outside/f", b"f")
    shell.local("t/x", b"x")
    Path("t/link").symlink_to("../outside")
    Path("t/file").symlink_to("../outside/f")
    Path("named").symlink_to("outside")
    shell.good("moveFromLocal", "t", "named", "/to")
    assert outside.read_bytes() == b"f"
    assert os.listdir() == ["outside"]
    for path in ("/to/t/x", "/to/t/link/f", "/to/t/file", "/to/named/f"):
        assert path in shell.filesystem.tree()


@pytest.mark.parametrize("change", ["grown", "same size", "replaced", "gone"])
def test_a_file_that_changed_meanwhile_stays(shell: Shell, change: str) -> None:
    source = shell.local("log", b"line 1\n")
    put = shell.filesystem.put

    def put_and_change(local_path: str, path: str, **named: Any) -> Any:
        status = put(local_path, path, **named)
        if change == "grown":
            source.write_bytes(b"line 1\nline 2\n")
        elif change == "same size":
            source.write_bytes(b"line 2\n")
            os.utime(source, ns=(1, 1))
        elif change == "replaced":
            times = (source.stat().st_atime_ns, source.stat().st_mtime_ns)
            other = shell.local("other", b"line 3\n")
            os.utime(other, ns=times)
            os.replace(other, source)
        else:
            source.unlink()
        return status

    shell.filesystem.put = put_and_change  # type: ignore[method-assign]
    error = shell.bad("moveFromLocal", "log", "/to")
    if change == "gone":
        assert "No such file or directory" in error
    else:
        assert error == "moveFromLocal: `log': It changed while it was stored, and stays here\n"
        assert source.exists()


def test_a_file_of_which_not_all_was_stored_stays(shell: Shell) -> None:
    source = shell.local("log", b"line 1\n")
    put = shell.filesystem.put
    shell.filesystem.put = lambda local_path, path, **named: put(  # type: ignore[method-assign]
        str(shell.local("less", b"line")), path, **named)
    assert "stays here" in shell.bad("moveFromLocal", "log", "/to")
    assert source.exists()


def test_a_pipe_is_not_moved(shell: Shell) -> None:
    os.mkfifo("pipe")
    assert "Not an ordinary file" in shell.bad("moveFromLocal", "pipe", "/to")
    assert Path("pipe").is_fifo()


def test_a_file_from_before_1970_is_kept_with_the_oldest_time(shell: Shell) -> None:
    source = shell.local("old", b"x")
    os.utime(source, (-315619200, -315619200))
    shell.good("put", "-p", "old", "/to")
    assert shell.filesystem.stat("/to/old").mtime_ms == 0


# -- Nowhere to stand, nothing to read.


def test_absolute_paths_need_no_working_directory(shell: Shell, tmp_path: Path) -> None:
    source = shell.local("f", b"bytes")
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        shell.good("put", str(source), "/to/f")
        shell.good("get", "/to/f", f"{tmp_path}/g")
        shell.good("getmerge", "/to", f"{tmp_path}/m")
        shell.good("cat", f"file://{source}")
        assert shell.good("ls", "-C", "/") == "/to\n"
        assert "No such file or directory" in shell.bad("put", "f", "/to/h")
        assert "No such file or directory" in shell.bad("get", "/to/f", "h")
    finally:
        os.chdir(tmp_path)


@pytest.mark.parametrize("words", [["put", "-f", "-", "/f"], ["appendToFile", "-", "/f"]])
def test_a_closed_standard_input_is_no_empty_file(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: List[str]
) -> None:
    from data_service.shell.main import main

    shell.filesystem.write("/f", b"old")
    monkeypatch.setattr(sys, "stdin", None)
    assert main(words) == 1
    assert shell.filesystem.contents("/f") == b"old"
    assert main([*words[:-1], "/new"]) == 1 and "/new" not in shell.filesystem.tree()


def test_standard_input_that_cannot_be_read(shell: Shell) -> None:
    code = "from data_service.shell.streams import Input; Input().read(10)"
    with open(shell.local("w"), "wb") as stream:
        done = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True,
                              env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert b"LocalFileError: standard input: Bad file descriptor" in done.stderr


def test_output_that_nobody_reads_any_more_is_noticed_without_writing(tmp_path: Path) -> None:
    code = (
        "import sys; from data_service.shell.streams import Output, OutputClosed\n"
        "out = Output(); out.line('begun')\n"
        "try: out.wait_while_read(600)\n"
        "except OutputClosed: sys.exit(7)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                               env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    process.stdout.close()
    assert wait_until(process.poll) == 7
