"""What Tab makes of a line: commands, options, paths of both sides, and their quotes."""

import shlex
from typing import Dict, List, Sequence, Tuple

import pytest

from data_service.filesystem import globs
from data_service.shell.prompt.completion import Sources, complete, cut_line, label

COMMANDS = ("cat", "cd", "get", "help", "lcd", "list", "ls", "put", "quit", "rm", "safemode")
REMOTE = {
    "": ["alpha/", "beta", "two words", ".hidden", "star*"],
    "/": ["data/", "docs/"],
    "/data/": ["f1", "f2", "it's"],
    "/my dir/": ["x"],
}
LOCAL = {"": ["alone", "src/", "a*b"], "src/": ["main.c"], "/": ["bin/"]}


def entries(tree: Dict[str, List[str]], asked: List[str]) -> object:
    """A source of names; a directory ends with a slash."""

    def of(directory: str) -> Sequence[Tuple[str, bool]]:
        asked.append(directory)
        return [(name.rstrip("/"), name.endswith("/")) for name in tree.get(directory, [])]

    return of


def completed(line: str, asked: List[str]) -> List[str]:
    """All that a line may become."""
    flags = {"ls": ["--json", "-R", "-r"], "rm": ["-r"]}
    remote, local = entries(REMOTE, asked), entries(LOCAL, asked)
    sources = Sources(COMMANDS, lambda name: flags.get(name, []), remote, local)  # type: ignore
    return complete(line, sources)


@pytest.mark.parametrize(
    "line, found",
    [
        # Commands.
        ("", [name + " " for name in sorted(COMMANDS)]),
        ("l", ["lcd ", "list ", "ls "]),
        ("-l", ["-lcd ", "-list ", "-ls "]),
        ("x", []),
        ("help q", ["help quit "]),
        ("safemode l", ["safemode leave "]),
        # Options.
        ("ls -", ["ls --json ", "ls -R ", "ls -r "]),
        ("ls -R --", ["ls -R --json "]),
        ("cat -", []),
        # Paths of the cluster.
        ("cat b", ["cat beta "]),
        ("-ls  al", ["-ls  alpha/"]),
        ("ls ", ["ls alpha/", "ls beta ", "ls star\\\\* ", "ls two\\ words "]),
        ("ls .", ["ls .hidden "]),
        ("ls /d", ["ls /data/", "ls /docs/"]),
        ("ls /data/f", ["ls /data/f1 ", "ls /data/f2 "]),
        ("ls /data/ /data/i", ["ls /data/ /data/it\\'s "]),
        ("ls -R /do", ["ls -R /docs/"]),
        ("ls /nowhere/x", []),
        # Quotes.
        ("ls two", ["ls two\\ words "]),
        ("ls two\\ ", ["ls two\\ words "]),
        ("ls 'two", ["ls 'two words' "]),
        ('ls "two w', ['ls "two words" ']),
        ("ls 'al", ["ls 'alpha/"]),
        ("ls '/data/i", ['ls "/data/it\'s" ']),
        ("ls /my\\ dir/", ["ls /my\\ dir/x "]),
        ("ls '/my dir'/", ["ls /my\\ dir/x "]),
        ("ls sta", ["ls star\\\\* "]),
        # Both sides.
        ("put a", ["put a\\*b ", "put alone "]),
        ("put s", ["put src/"]),
        ("put src/m", ["put src/main.c "]),
        ("put alone al", ["put alone alpha/"]),
        ("put alone sr", ["put alone src/"]),
        ("put - /d", ["put - /data/", "put - /docs/"]),
        ("put -f al", ["put -f alone "]),
        ("get al", ["get alpha/"]),
        ("get alpha s", ["get alpha src/"]),
        ("get alpha b", ["get alpha beta "]),
        ("lcd ", ["lcd a*b ", "lcd alone ", "lcd src/"]),
    ],
)
def test_what_a_line_may_become(line: str, found: List[str]) -> None:
    assert completed(line, []) == found


def test_only_the_side_that_is_meant_is_asked() -> None:
    asked: List[str] = []
    completed("li", asked)
    completed("ls -", asked)
    assert asked == []
    completed("put src/m", asked)
    assert asked == ["src/"]


def test_a_huge_directory_is_not_read_to_its_end() -> None:
    read: List[int] = []

    def endless(_directory: str) -> object:
        for number in range(10**9):
            read.append(number)
            yield f"f{number}", False

    sources = Sources((), lambda name: (), endless, endless)  # type: ignore[arg-type]
    assert complete("ls f9999", sources) == ["ls f9999 "]
    assert len(read) <= 10_001


NAMES = ("a", "two words", "it's", 'say "hi"', "back\\slash", "tab\there", "*[x]?{a,b}", "é ü", "#")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_completed_name_is_read_as_that_name(name: str, quote: str) -> None:
    for is_local in (False, True):
        tree = {"": [name]}
        sources = Sources((), lambda _: (), entries(tree, []), entries(tree, []))  # type: ignore
        command = "put" if is_local else "cat"
        (line,) = complete(f"{command} {quote}", sources)
        words = shlex.split(line)
        assert len(words) == 2 and line.endswith(" ")
        assert (words[1] if is_local else globs.unescape(words[1])) == name
        again = line.rstrip(" ")
        assert shlex.split(complete(again, sources)[0]) == words, "a finished name stays"


@pytest.mark.parametrize("name", NAMES)
def test_an_escaped_name_is_no_glob(name: str) -> None:
    assert not globs.is_glob(globs.escape(name))
    assert globs.unescape(globs.escape(name)) == name
    assert globs.compile_component(globs.escape(name)).fullmatch(name)


@pytest.mark.parametrize(
    "line", ["ls a b", "ls 'a b' c", 'put "x y" z\\ w', "a\\\\b c", "''", "x'y z'w v", '"a\\b" c']
)
def test_a_line_is_cut_as_the_shell_does(line: str) -> None:
    cut = cut_line(line)
    assert [*cut.words, cut.word] == shlex.split(line) and cut.quote == ""
    assert line.startswith(cut.head)


def test_a_list_shows_last_components() -> None:
    assert [label("ls /a/b "), label("ls /a/b/"), label("ls 'x y"), label("rm ")] == [
        "b", "b/", "x y", "rm",
    ]  # fmt: skip
