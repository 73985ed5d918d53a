"""Wildcards of local names at the prompt, which has no shell before it."""

import random
import shlex
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.shell.prompt.local_words import UPLOADS, split
from tests.support.terminal.shell import Result, Shell

FILES = ("a.txt", "b.txt", "c*.txt", "-f.txt", "hdfs:", ".hidden.txt", "sub/d.txt")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system, in a folder of text files."""
    with Shell(monkeypatch, tmp_path) as made:
        for name in FILES:
            made.local(name, name.encode())
        yield made


def script(shell: Shell, *lines: str) -> Result:
    """Run lines at the prompt, as from a pipe."""
    return shell.run(stdin="".join(line + "\n" for line in lines).encode())


@pytest.mark.parametrize("command", UPLOADS)
@pytest.mark.parametrize(
    "typed, words",
    [
        ("[ab].txt /x", ["a.txt", "b.txt", "/x"]),
        ("-f *.txt /x", ["-f", "./-f.txt", "a.txt", "b.txt", "c*.txt", "/x"]),
        ("?.txt sub/* /x", ["a.txt", "b.txt", "sub/d.txt", "/x"]),
        ("hdfs* /x", ["./hdfs:", "/x"]),
        (".h* /x", [".hidden.txt", "/x"]),
        ("'c*.txt' /x", ["c*.txt", "/x"]),
        ('"c*"* /x', ["c*.txt", "/x"]),
        ("c\\*.txt /x", ["c*.txt", "/x"]),
        ("'*.txt' \"?.txt\" \\[ab].txt /x", ["*.txt", "?.txt", "[ab].txt", "/x"]),
        ("no*such /x", ["no*such", "/x"]),
        ("a.txt *.txt", ["a.txt", "*.txt"]),
    ],
)
def test_local_names_are_put_in(
    shell: Shell, command: str, typed: str, words: List[str]
) -> None:
    assert shell.folder == Path.cwd()
    assert split(f"{command} {typed}") == [command, *words]
    assert split(f"fs -{command} {typed}") == ["fs", f"-{command}", *words]


def test_a_lone_word_names_what_is_stored_and_not_where(shell: Shell) -> None:
    assert split("put ?.txt") == ["put", "a.txt", "b.txt", "."]
    assert split("put a*") == ["put", "a.txt"]
    assert split("put -f ?.txt") == ["put", "-f", "a.txt", "b.txt", "."]
    assert split("put -f") == ["put", "-f"] and split("put") == ["put"]


def test_other_words_are_no_business_of_the_prompt(shell: Shell) -> None:
    for line in ("ls *.txt", "rm /d/* *.txt", "get *.txt sub", "cat put *.txt x", "lcd *"):
        assert split(line) == shlex.split(line)


def test_what_is_matched_is_stored(shell: Shell) -> None:
    result = script(shell, "mkdir /x", "put *.txt /x", "ls -C /x", "put 'n*' /x", "put x* /x")
    assert result.out == "".join(f"/x/{name}\n" for name in sorted(FILES[:4]))
    assert result.err == "".join(f"put: `{n}': No such file or directory\n" for n in ("n*", "x*"))
    assert script(shell, "appendToFile ?.txt /y", "cat /y").out == "a.txtb.txt"


def test_words_are_those_of_the_plain_reader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where nothing matches, wildcards or not."""
    monkeypatch.chdir(tmp_path)
    source = random.Random(1127)
    for _ in range(5_000):
        line = "put " + "".join(source.choice("z\\'\"*?[] \t") for _ in range(12)) + " /x"
        try:
            expected = shlex.split(line)
        except ValueError:
            with pytest.raises(ValueError):
                split(line)
            continue
        assert split(line) == expected
