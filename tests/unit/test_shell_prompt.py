"""The interactive prompt, and the progress bar."""

import io
import os
import sys
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from data_service.shell import session
from data_service.shell.arguments import places
from data_service.shell.progress import ProgressBar, clock_time, progress_line
from data_service.shell.prompt import prompt, terminal
from data_service.shell.streams import CLEAR_LINE
from tests.support.terminal.shell import Result, Shell
from zookeeper.fabric.errors import Unavailable


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def script(shell: Shell, *lines: str) -> Result:
    """Run lines at the prompt, as from a pipe."""
    return shell.run(stdin="".join(line + "\n" for line in lines).encode())


def test_a_script_in_a_pipe(shell: Shell) -> None:
    shell.local("x y", b"hello")
    lines = ["# a comment", "", "put 'x y' /d/f", "cat /d/f", "-ls -C /d", "list -C /"]
    result = script(shell, *lines)
    assert result == (0, "hello/d/f\n/d\n", "")


def test_get_writes_a_local_file_at_the_prompt(shell: Shell) -> None:
    shell.filesystem.write("/d/f", b"hello")
    assert script(shell, "get /d/f") == (0, "", "")
    assert (shell.folder / "f").read_bytes() == b"hello"


def test_misuse_at_the_prompt_shows_how_this_command_is_called_and_no_other(shell: Shell) -> None:
    result = script(shell, "pwd", "mv /a", "setQuota 1")
    assert (result.status, result.out) == (1, "/user/root\n")
    assert result.err == (
        "-mv: Not enough arguments: expected 2 but got 1\n"
        "Usage: hadoop fs [generic options] -mv <src> ... <dst>\n"
        "setQuota: Not enough arguments: expected 2 but got 1\n"
        "Usage: hdfs dfsadmin [-setQuota <quota> <dirname>...<dirname>]\n"
    )


def test_errors_do_not_end_the_prompt(shell: Shell) -> None:
    result = script(shell, "ls /no", "foo", "ls 'x", "mkdir /a", "ls -C /")
    assert (result.status, result.out) == (1, "/a\n")
    assert result.err == (
        "ls: `/no': No such file or directory\nfoo: Unknown command\nNo closing quotation: ls 'x\n"
    )
    shell.filesystem.fail("stat", Unavailable("no namenode"))
    result = script(shell, "ls /", "cd /", "rm /x")
    assert result == (1, "", "ls: no namenode\ncd: no namenode\nrm: no namenode\n")


@pytest.mark.parametrize("word", ["quit", "exit", "bye"])
def test_the_prompt_ends(shell: Shell, word: str) -> None:
    assert script(shell, "mkdir /a", word, "mkdir /b").status == 0
    assert shell.filesystem.tree() == ["/a"]


def test_help_tells_of_the_words_of_the_prompt(shell: Shell) -> None:
    whole = script(shell, "help")
    assert whole.out.endswith(prompt.OWN_HELP + "\n") and "-lcd" not in shell.good("help")
    for word in ("cd", "pwd", "lcd", "lpwd", "quit", "exit", "bye"):
        assert f" {word}" in prompt.OWN_HELP
        assert script(shell, f"help {word}") == (0, prompt.OWN_HELP + "\n", "")
    assert script(shell, "help no").err.startswith("-help: `no': Unknown command\n")


def test_working_directories(shell: Shell) -> None:
    shell.filesystem.write("/d/e/f")
    shell.filesystem.write("/user/root/x")
    (shell.folder / "sub").mkdir()
    result = script(
        shell, "ls -C", "pwd", "cd /d", "pwd", "ls -C", "cd e", "pwd", "ls -C .", "touchz new",
        "cd", "pwd", "lcd sub", "lpwd", "get x", "cd /no", "cd /d/e/f", "lcd nowhere",
    )  # fmt: skip
    assert result.out.splitlines() == [
        "x", "/user/root", "/d", "e", "/d/e", "f", "/user/root", str(shell.folder / "sub"),
    ]  # fmt: skip
    assert "/d/e/new" in shell.filesystem.tree()
    assert os.listdir(shell.folder / "sub") == ["x"]
    assert result.err.splitlines() == [
        "cd: `/no': No such file or directory",
        "cd: `/d/e/f': Is not a directory",
        "lcd: `nowhere': No such file or directory",
    ]


def test_the_names_of_hdfs_tools_may_go_first(shell: Shell) -> None:
    result = script(shell, "dfsadmin -safemode get", "dfs -ls -C /", "admin -foo", "dfs")
    assert result.out == "Safe mode is OFF\n"
    assert result.err == "-foo: Unknown command\ndfs: Unknown command\n"


def test_what_tab_offers(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.local("here")
    shell.filesystem.write("/d/two words")
    shell.filesystem.write("/user/root/mine")
    offered: List[List[str]] = []

    def lines(_text: str, complete: Callable[[str], List[str]]) -> Iterator[str]:
        asked = ["qui", "put h", "cat /d/t", "ls -R", "cat m", "cat /no/", "cat hdfs:"]
        offered.extend(complete(line) for line in asked)
        yield "cd /d"
        offered.append(complete("cat t"))
        shell.filesystem.fail("list", Unavailable("no namenode"))
        offered.append(complete("cat /d/t"))

    monkeypatch.setattr(terminal, "lines", lines)
    monkeypatch.setattr(sys, "stdin", Terminal())
    from data_service.shell.main import main

    assert main([]) == 0
    assert offered == [
        ["quit "], ["put here "], ["cat /d/two\\ words "], ["ls -R "], ["cat mine "], [], [],
        ["cat two\\ words "], [],
    ]  # fmt: skip


class Terminal(io.StringIO):
    """A stream that a person reads or writes."""

    def isatty(self) -> bool:
        """Always."""
        return True


def test_a_person_at_the_prompt(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    said: List[object] = ["mkdir /a", KeyboardInterrupt(), "ls /no", EOFError()]

    def ask(text: str) -> str:
        assert text == "pyhdfs ~> "
        answer = said.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return str(answer)

    monkeypatch.setattr("builtins.input", ask)
    monkeypatch.setattr(sys, "stdin", Terminal())
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    from data_service.shell.main import main

    assert main([]) == 0, "what failed at a terminal, the person has seen"
    told = "ls: `/no': No such file or directory"
    assert errors.getvalue() == f"{prompt.WELCOME}\n\n{told}\n\n"
    assert shell.filesystem.tree() == ["/a"]


def test_lines_of_progress() -> None:
    assert progress_line("/f", 50 << 20, 100 << 20, 2.0) == (
        "/f   50% [##########..........] 50 MB of 100 MB  25 MB/s  00:02 left"
    )
    assert progress_line("-", 3 << 20, 0, 1.0) == "-  3 MB  3 MB/s"
    assert progress_line("/f", 0, 10, 0.0).endswith("0 B of 10 B  0 B/s  --:-- left")
    assert clock_time(59.9) == "00:59" and clock_time(3723) == "1:02:03"


def test_the_bar_is_drawn_now_and_then() -> None:
    times = iter([0.0, 0.1, 0.6, 0.65, 0.8, 0.9])
    stream = io.StringIO()
    bar = ProgressBar("/f", stream, lambda: next(times))
    for done in range(1, 5):
        bar(done, 10)
    drawn = stream.getvalue().split(CLEAR_LINE)[1:]
    assert [line[:7] for line in drawn] == ["/f   20", "/f   40"]
    bar.clear()
    assert stream.getvalue().endswith(CLEAR_LINE)
    before = stream.getvalue()
    bar.clear()
    assert stream.getvalue() == before


def test_a_bar_only_for_a_person(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    surroundings = places.Surroundings(lambda: shell.filesystem, "", {}, None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert session.Session("put", surroundings).progress("x") is None
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert session.Session("put", surroundings).progress("x") is not None


def test_an_error_takes_the_place_of_the_bar(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    surroundings = places.Surroundings(lambda: shell.filesystem, "", {}, None)
    session.Session("put", surroundings).complain("no")
    assert terminal.getvalue() == CLEAR_LINE + "put: no\n"


def test_many_small_transfers_show_together() -> None:
    now = [0.0]
    out = Terminal()
    bar = ProgressBar("f0", out, lambda: now[0])
    for number in range(1, 40):
        now[0] += 0.05
        bar(1, 1)
        bar.go_on(f"f{number}")
    assert "(11) f10 " in out.getvalue() and out.getvalue().count("\r") < 25
