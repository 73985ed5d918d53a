"""The interactive prompt, at a real terminal and in a pipe, on real processes."""

from pathlib import Path
from typing import Dict

import pytest

from data_service.shell.prompt.prompt import NAME, TEXT
from data_service.shell.prompt.terminal import HISTORY_NAME
from data_service.shell.streams import CLEAR_LINE
from tests.support.clusters.cluster import CLIENT, Cluster
from tests.support.terminal.typist import END, ENTER, TAB, UP, Typist

pytest.importorskip("readline")


def at_prompt(cluster: Cluster, folder: Path, **environment: str) -> Typist:
    """A person who has started the client without a command, and sees the prompt."""
    told: Dict[str, str] = dict(cluster.environment(CLIENT), HOME=str(folder), **environment)
    person = Typist(cluster.client_command(), folder, told)
    person.read_until(TEXT)
    return person


def answer(person: Typist, line: str) -> str:
    """Type a line; what is on the screen between it and the next prompt."""
    person.type(line + ENTER)
    person.read_until("\n")
    seen = person.read_until(TEXT).rpartition(NAME)[0]
    return seen.replace("\r\n", "\n").replace(CLEAR_LINE, "")


def test_a_session_with_tab_on_both_sides(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "local file").write_bytes(b"hello\n")
    (tmp_path / "sub").mkdir()
    with at_prompt(shared_cluster, tmp_path) as person:
        person.type("mkd" + TAB)
        person.read_until("mkdir ")
        assert answer(person, "-p /prompt/first /prompt/second") == ""
        person.type("put lo" + TAB)
        person.read_until("local\\ file ")
        person.type("/pro" + TAB)
        person.read_until("mpt/")
        person.type("f" + TAB)
        person.read_until("irst/")
        assert answer(person, "") == ""
        person.type("ls /prompt/" + TAB + TAB)
        assert "first/  second/" in person.read_until(TEXT + "ls /prompt/")
        assert answer(person, "first").endswith("/prompt/first/local file\n")
        assert answer(person, "ls /no") == "ls: `/no': No such file or directory\n"
        assert answer(person, "cd /prompt/first") == ""
        person.type(ENTER)
        person.read_until(f"{NAME}/prompt/first{TEXT}")
        assert answer(person, "pwd") == "/prompt/first\n"
        assert answer(person, "lcd sub") == ""
        assert answer(person, "lpwd") == f"{tmp_path / 'sub'}\n"
        person.type("get l" + TAB)
        person.read_until("ocal\\ file ")
        assert answer(person, "") == ""
        assert answer(person, "dfsadmin -safemode get") == "Safe mode is OFF\n"
        person.type("quit" + ENTER)
        assert person.wait() == 0
    assert (tmp_path / "sub" / "local file").read_bytes() == b"hello\n"
    assert shared_cluster.client("rm", "-r", "/prompt").status == 0


def test_lines_are_remembered_until_the_next_time(shared_cluster: Cluster, tmp_path: Path) -> None:
    with at_prompt(shared_cluster, tmp_path) as person:
        answer(person, "ls -d /")
        person.type(END)
        assert person.wait() == 0
    assert (tmp_path / HISTORY_NAME).read_text("utf-8").splitlines()[-1] == "ls -d /"
    with at_prompt(shared_cluster, tmp_path) as person:
        person.type(UP)
        person.read_until("ls -d /")
        assert answer(person, "").endswith(" /\n")


def test_a_home_that_is_none_disturbs_nobody(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / HISTORY_NAME).mkdir()
    with at_prompt(shared_cluster, tmp_path) as person:
        assert answer(person, "lpwd") == f"{tmp_path}\n"
        person.type("quit" + ENTER)
        assert person.wait() == 0


def test_a_script_in_a_pipe_gets_no_prompt(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello\n")
    lines = [f"lcd {tmp_path}", "put f /piped/f", "cat /piped/f", "rm -r /piped", "quit", "foo"]
    done = shared_cluster.client(stdin="\n".join(lines).encode())
    assert (done.status, done.text, done.err) == (0, "hello\nDeleted /piped\n", "")
    failed = shared_cluster.client(stdin=b"foo\nls -d /\n")
    assert (failed.status, failed.err) == (1, "foo: Unknown command\n")
    assert failed.text.endswith(" /\n") and not (shared_cluster.folder / HISTORY_NAME).exists()
