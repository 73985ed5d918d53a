"""Globs that are meant badly: matched in bounded time and memory, or refused in a sentence."""

import random
import re
from pathlib import Path
from typing import Iterator

import pytest

from data_service.filesystem import globs
from data_service.filesystem.globs import NameMatcher
from data_service.protocol.files import DIRECTORY, FileStatus
from data_service.shell.arguments import paths
from data_service.shell.arguments.items import expand
from tests.support.terminal.shell import Shell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize(
    "pattern",
    ["*a" * 120 + "b", "*" * 3000 + "b", "*a*" * 80 + "[!a]", "?*" * 126 + "b", "*?a" * 60 + "b",
     "*{a,aa}*{a,aa}*{a,aa}*{a,aa}*b", "*[a-z]" * 100 + "B1"],
)  # fmt: skip
def test_stars_do_not_multiply(pattern: str, ignore_case: bool) -> None:
    """With a backtracking matcher each of these takes longer than anybody waits."""
    assert not NameMatcher(pattern, ignore_case).matches("a" * 254)
    assert NameMatcher(pattern.rstrip("bB1").replace("[!a]", "")).matches("a" * 254)


def test_matching_agrees_with_the_plain_way() -> None:
    """Against a regular expression, which is right and slow, on short names."""
    source = random.Random(20261127)
    for _ in range(2_000):
        pattern = "".join(source.choice("ab*?*") for _ in range(source.randrange(8)))
        name = "".join(source.choice("abA") for _ in range(source.randrange(9)))
        plain = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        for flag in (0, re.IGNORECASE):
            expected = re.fullmatch(plain, name, flag) is not None
            assert NameMatcher(pattern, bool(flag)).matches(name) == expected, (pattern, name)


@pytest.mark.parametrize(
    "pattern",
    ["{a,b}" * 20, "{a,b/c}" * 20, "{{a,b},{c,d}}" * 12, "{a}" * 2000, "{" * 500 + "}" * 500,
     "{" + ",".join(map(str, range(20_000))) + "}", "{a,b}" * 40 + "/*"],
)  # fmt: skip
def test_too_many_alternatives_are_refused(shell: Shell, pattern: str) -> None:
    for words in (["ls", f"/{pattern}"], ["rm", f"/{pattern}x*"], ["find", "/", "-name", pattern]):
        error = shell.bad(*words)
        assert "more than 10000 alternatives or 100 groups" in error
        assert len(error.splitlines()) == 1 and len(error) < 250


def test_many_alternatives_are_allowed(shell: Shell) -> None:
    shell.filesystem.write("/7/x", b"")
    names = ",".join(map(str, range(9_000)))
    assert shell.good("ls", "-C", f"/{{{names}}}/x") == "/7/x\n"
    assert shell.good("ls", "-C", "/" + "{1,7}" + "/{x,y}{,1,2}") == "/7/x\n"


def test_there_and_back_again_is_one_way(shell: Shell) -> None:
    for number in range(40):
        shell.filesystem.mkdir(f"/d{number}")
    shell.filesystem.calls.clear()
    assert len(shell.good("ls", "-d", "-C", "/d" + "*/../d" * 20 + "*").splitlines()) == 40
    assert shell.filesystem.calls.count("list") <= 21


class Deep:
    """A store in which each directory holds one more."""

    is_local = False
    directory = "/"

    def list(self, path: str) -> Iterator[FileStatus]:
        """Always the same."""
        yield FileStatus("d", 1, DIRECTORY, 0, 0, 0, "me", "us", 0o755, 1, 1)

    def stat(self, path: str) -> FileStatus:
        """A directory."""
        return next(self.list(path))


def test_a_deep_tree_needs_no_deep_stack() -> None:
    found = expand(Deep(), paths.parse("/*" * 1500))  # type: ignore[arg-type]
    assert [item.path for item in found] == ["/d" * 1500]


@pytest.mark.parametrize("pattern", ["a\\", "{a,b\\", "*\\", "[a", "{a"])
def test_what_is_not_finished_is_refused(pattern: str) -> None:
    with pytest.raises(globs.IllegalPattern):
        NameMatcher(pattern)
