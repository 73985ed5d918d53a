"""Names of others on a person's terminal: one line each, and no commands to the terminal."""

import io
import random
import shlex
import sys
from pathlib import Path
from typing import Iterable, Iterator, List, Tuple

import pytest

from data_service.filesystem import globs
from data_service.protocol.visible import visible
from data_service.shell import streams
from data_service.shell.failures import PathError, describe
from data_service.shell.main import main
from data_service.shell.progress import ProgressBar, cut, progress_line
from data_service.shell.prompt.completion import Sources, complete, label
from data_service.shell.prompt.terminal import SHOWN_MAX, _Display
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import DfsError, Unavailable

SPOOF = "blk_1_1 len=1 CORRUPT everything is lost"
NAMES = ["title\x1b]0;owned\x07", "clear\x1b[2J", f"a\n{SPOOF}", "b\rc", "d\u202etxt.exe",
         "e\u2028f", "g\x7fh", "i\x85j"]  # fmt: skip


class Terminal(io.TextIOWrapper):
    """A text stream that says that it is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", "surrogateescape")

    def isatty(self) -> bool:
        """A person sits there."""
        return True

    @property
    def text(self) -> str:
        """What was written."""
        self.flush()
        return self.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line, with files of odd names below /d."""
    with Shell(monkeypatch, tmp_path) as made:
        for name in NAMES:
            made.filesystem.write(f"/d/{name}", b"x")
        yield made


def on_terminal(monkeypatch: pytest.MonkeyPatch, *words: str) -> Tuple[str, str]:
    """What a person sees of a command: standard output, standard error."""
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    main(list(words))
    return out.text, err.text.replace(streams.CLEAR_LINE, "")


def harmless(text: str) -> bool:
    """Whether each line is text and tabs only."""
    return all(c.isprintable() or c in "\t\n" for c in text)


@pytest.mark.parametrize(
    "words, lines",
    [
        (("ls", "/d"), len(NAMES) + 1), (("ls", "-C", "/d"), len(NAMES)),
        (("ls", "-R", "/d"), len(NAMES)), (("find", "/d"), len(NAMES) + 1),
        (("stat", "%n", "/d/*"), len(NAMES)), (("du", "/d"), len(NAMES)),
        (("count", "/d/*"), len(NAMES)), (("checksum", "/d/*"), len(NAMES)),
        (("setrep", "2", "/d"), len(NAMES)), (("rm", "/d/*"), len(NAMES)),
    ],
)  # fmt: skip
def test_one_file_is_one_harmless_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: Tuple[str, ...], lines: int
) -> None:
    out, err = on_terminal(monkeypatch, *words)
    assert harmless(out + err) and len(out.splitlines()) == lines
    assert "\\x1b]0;owned\\x07" in out and f"a\\n{SPOOF}" in out and "d\\u202etxt" in out


def test_a_program_reads_names_as_they_are(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = "".join(f"/d/{name}\n" for name in sorted(NAMES, key=str.encode))
    assert shell.good("ls", "-C", "/d") == raw
    assert shell.good("find", "/d/*", "-print0").replace("\0", "\n") == raw
    out, _ = on_terminal(monkeypatch, "find", "/d/*", "-print0")
    assert out.replace("\0", "\n") == raw


@pytest.mark.parametrize("words", [("-files",), ("-files", "-blocks"), ()])
def test_reports_give_a_file_its_line(shell: Shell, words: Tuple[str, ...]) -> None:
    lines = shell.good("fsck", "/d", *words).splitlines()
    assert not any(line.startswith(("blk_1_1", "c ", "f ")) for line in lines)
    assert len([line for line in lines if line.startswith("/d/")]) == len(NAMES) * bool(words)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_is_one_line_and_whole(shell: Shell, name: str) -> None:
    for words in (["cat", f"/no/{name}"], ["mv", f"/d/{name}", "/no/x/y"], ["rmdir", f"/d/{name}"]):
        error = shell.run(*words).err
        assert harmless(error) and len(error.splitlines()) == 1
    assert describe(PathError(f"/{name}", "Is a directory")).endswith("': Is a directory")


def test_a_message_with_a_name_of_two_lines_is_told_to_its_end(shell: Shell) -> None:
    shell.filesystem.fail("mkdir", DfsError("/n/new\nline: what is wrong stands behind it\n"))
    expected = "mkdir: /n/new\\nline: what is wrong stands behind it\n"
    assert shell.bad("mkdir", "/new\nline") == expected
    shell.filesystem.fail("stat", Unavailable("nobody answers for /n/new\nline"))
    assert shell.bad("ls", "/n") == "ls: nobody answers for /n/new\\nline\n"


@pytest.mark.parametrize("data", [b"text\n" * 500, b"\x7fELF\0" + b"x" * 3000, b""])
def test_who_sees_bytes_that_are_no_text_hears_how_to_fetch_them(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    shell.filesystem.write("/d/big\n.bin", data)
    hint = "get: these were no text; `get /d/big\\n.bin .' makes a file of them\n"
    out, err = on_terminal(monkeypatch, "get", "/d/big\n.bin")
    assert (out.encode(), err) == (data, hint if b"\0" in data else "")
    # Who asks for the bytes by the name of `cat`, or does not look at them, knows.
    assert on_terminal(monkeypatch, "cat", "/d/big\n.bin") == (out, "")
    assert shell.good("get", "/d/big\n.bin").encode() == data


def test_progress_names_the_file_in_one_line() -> None:
    now = [0.0]
    terminal = Terminal()
    bar = ProgressBar("x\ny\x1b[2J" + "n" * 300, terminal, lambda: now[0])
    for _ in range(5):
        now[0] += 1.0
        bar(10, 100)
    for line in terminal.text.split(streams.CLEAR_LINE):
        assert harmless(line) and len(line) < 80


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 79, 80, 81, 200])
@pytest.mark.parametrize("name", ["f", "n" * 30, "n" * 255])
def test_a_bar_fits_the_terminal(columns: int, name: str) -> None:
    for total in (0, 10**12):
        line = progress_line(name, 10**9, total, 7.0)
        fitting = cut(line, len(name), columns)
        assert len(fitting) < max(columns, 1) or not fitting
        if len(line) < columns:
            assert fitting == line


def test_tab_lists_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    class Readline:
        """Gives the line."""

        @staticmethod
        def get_line_buffer() -> str:
            """With a name in it."""
            return "ls x\x1b[2J"

    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    _Display(lambda: "> ", Readline)("", [f"ls n{number} " for number in range(3000)], 9)
    assert f"… and {3000 - SHOWN_MAX} more" in out.getvalue() and harmless(out.getvalue())
    assert label("ls /tmp/title\x1b[2J") == "title\\x1b[2J"


# -- What Tab makes is read back as the one name.


def _completed(command: str, name: str, quote: str) -> str:
    def entries(directory: str) -> Iterable[Tuple[str, bool]]:
        return [(name, False)] if directory in ("", "./") else []

    (line,) = complete(f"{command} {quote}", Sources((), lambda _: (), entries, entries))
    return line


def _odd_names() -> List[str]:
    source = random.Random(28)
    characters = "ab \t\r\n\x0b\x0c\x1b\x1c\x85\xa0\u2028'\"\\*?[]{},#-$`;|&~%:"
    names = {"".join(source.choice(characters) for _ in range(source.randrange(1, 7)))
             for _ in range(3000)}  # fmt: skip
    return sorted(name for name in names | set(NAMES) if name not in (".", ".."))


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("command", ["cat", "put"])
def test_any_name_is_completed_to_one_word(command: str, quote: str) -> None:
    for name in _odd_names():
        words = shlex.split(_completed(command, name, quote))
        assert len(words) == 2, name
        word = words[1] if command == "put" else globs.unescape(words[1])
        assert word in (name, f"./{name}") and not word.startswith("-"), name


def test_visible() -> None:
    assert visible("a b é 漢") == "a b é 漢"
    assert visible("\n\r\t\0\x1b\x9b\u202e\U000e0001\udcff") == (
        "\\n\\r\\t\\x00\\x1b\\x9b\\u202e\\U000e0001\\udcff"
    )
