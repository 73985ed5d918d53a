"""README.md tells the truth: what it lists exists, and what it shows was run.

A block of commands, or of Python, has a mark in the line before it. `<!-- run -->`: all of these
are run here, one after the other, from top to bottom, in one shell and a fresh copy of the
repository, as a person would; the output that is shown must be the real one (`…` stands for
anything).
`<!-- tested by tests/… -->` names the test that runs the same commands in its own way.
"""

import ast
import re
from pathlib import Path
from typing import List, Protocol, Set

import pytest

from tests.support.clusters.fresh_copy import Answer, FreshCopy, Terminal
from tests.tidy.readme import Block, blocks, code, output_matches, tables
from tests.tidy.source import PRODUCT, ROOT, sources
from zookeeper.fabric.settings import SECTIONS, load, table

SECONDS_MAX = 600


class Typing(Protocol):
    """Where commands are typed."""

    def type(self, command: str) -> Answer:
        """Run one to its end."""


def text() -> str:
    """README.md, which must exist."""
    return (ROOT / "README.md").read_text("utf-8")


def unmarked(found: List[Block]) -> List[str]:
    """Console blocks of which nobody says who runs them."""
    console = [block for block in found if block.language in ("console", "python")]
    return [f"README.md:{b.line}" for b in console if not b.is_run and not b.tested_by]


def untested(found: List[Block]) -> List[str]:
    """Commands whose named test does not mention the program that they run."""
    missing = []
    for block in found:
        if block.tested_by:
            path = ROOT / block.tested_by
            tests = path.read_text("utf-8") if path.exists() else ""
            for command, _ in block.steps:
                programs = [Path(word).name for word in command.split() if "/" in word]
                if not programs or programs[0] not in tests:
                    missing.append(f"{command} (README.md:{block.line}) in {block.tested_by}")
    return missing


def shell_commands() -> Set[str]:
    """The names that the command line itself knows."""
    from data_service.shell.table import COMMANDS

    return set(COMMANDS)


def test_every_console_block_is_run_by_a_test() -> None:
    found = blocks(text())
    assert any(block.is_run for block in found)
    assert unmarked(found) == []
    assert untested(found) == []


def test_the_command_table_is_the_shells() -> None:
    listed = {name.split()[0] for cell in tables(text())["command"] for name in code(cell)}
    assert listed == shell_commands()


def test_the_modules_that_are_named_exist() -> None:
    spans = [span for line in text().splitlines() for span in code(line)]
    words = {word for span in spans for word in span.split() if re.fullmatch(r"\w+/.*\.py", word)}
    homes = (ROOT, ROOT / "data_service")
    assert words
    assert [word for word in words if not any((home / word).exists() for home in homes)] == []


def test_the_configurations_that_are_shown_are_understood(tmp_path: Path) -> None:
    shown = [block for block in blocks(text()) if block.language == "ini"]
    assert shown
    for block in shown:
        path = tmp_path / "config.ini"
        path.write_text("\n".join(block.lines) + "\n", "utf-8")
        assert load(str(path)).path == str(path)


def test_the_errors_that_are_explained_are_ours() -> None:
    said = {
        node.value
        for source in sources(PRODUCT + ("scripts",))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    explained = [name for cell in tables(text())["what is said"] for name in code(cell)]
    parts = {part.strip() for name in explained for part in name.split("…")} - {"."}
    assert len(parts) > 10
    assert [part for part in parts if not any(part in sentence for sentence in said)] == []


def test_the_links_within_the_page_lead_somewhere() -> None:
    heads = re.findall(r"^## (.+)$", text(), re.MULTILINE)
    anchors = {"#" + re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}
    links = set(re.findall(r"\]\((#[^)]+)\)", text()))
    assert links and links - anchors == set()


def test_the_settings_table_lists_only_what_exists() -> None:
    known = {key for section in SECTIONS for key in table(section)} | set(SECTIONS)
    listed = {name.strip("[]") for cell in tables(text())["setting"] for name in code(cell)}
    assert listed
    assert listed - known == set()


@pytest.mark.cluster
def test_the_blocks_do_what_they_show_from_top_to_bottom(tmp_path: Path) -> None:
    copy = FreshCopy(tmp_path)
    try:
        with Terminal(copy, SECONDS_MAX) as terminal:
            for block in blocks(text()):
                if block.is_run:
                    for command, shown in block.steps:
                        run_step(command, shown, terminal)
    finally:
        copy.close()


def run_step(command: str, shown: List[str], terminal: Typing) -> None:
    """Run one command as a reader would; it must succeed and say what is shown."""
    status, output = terminal.type(command)
    assert status == 0, f"$ {command}\n{output}"
    if any(shown):
        assert output_matches(shown, output), f"$ {command}\n{output}\nis not\n{shown}"


EXAMPLE = """# Name
<!-- run -->
```console
$ pyhdfs ls /
Found … items
$ true
```
```console
$ forgotten
```
<!-- tested by tests/tidy/test_readme.py -->
```console
$ ./scripts/nothing-of-that-name
```
| Command | Meaning |
| --- | --- |
| `put LOCAL… PATH` | stores |
| `get` or `cat` | reads |
"""


def test_blocks_are_found_with_their_marks() -> None:
    first, second, third = blocks(EXAMPLE)
    assert first.is_run and first.steps == [("pyhdfs ls /", ["Found … items"]), ("true", [])]
    assert unmarked([first, second, third]) == [f"README.md:{second.line}"]
    assert third.tested_by == "tests/tidy/test_readme.py"


def test_a_command_that_its_test_does_not_run_is_found() -> None:
    mark = "<!-- tested by tests/tidy/test_sizes.py -->"
    assert len(untested([Block(1, "console", mark, ("$ ./scripts/quickstart",))])) == 1
    lost = "<!-- tested by tests/tidy/test_lost.py -->"
    assert len(untested([Block(1, "console", lost, ("$ ./scripts/quickstart",))])) == 1


def test_tables_are_found() -> None:
    cells = tables(EXAMPLE)["command"]
    assert [code(cell) for cell in cells] == [["put LOCAL… PATH"], ["get", "cat"]]


def test_output_is_compared() -> None:
    assert output_matches(["Found … items", "a+b"], "Found 12 items\na+b\n")
    assert not output_matches(["Found … items"], "Found nothing\n")
    assert not output_matches(["a+b"], "aab")


class Canned:
    """A terminal in which every command succeeds, and says the same."""

    def __init__(self, status: int, output: str) -> None:
        self._answer = Answer(status, output)

    def type(self, command: str) -> Answer:
        """What every command does."""
        return self._answer


def test_a_step_that_fails_or_says_something_else_is_found() -> None:
    run_step("x", ["a"], Canned(0, "a\n"))
    run_step("x", [], Canned(0, "anything\n"))
    for answer, shown in ((Canned(3, ""), []), (Canned(0, "b\n"), ["a"])):
        with pytest.raises(AssertionError):
            run_step("x", shown, answer)


def test_python_is_run_as_a_command() -> None:
    (block,) = blocks("<!-- run -->\n```python\nprint(1)\n\nprint(2)\n```\n")
    assert block.is_run
    (command, shown), = block.steps
    assert command == "python3 - <<'END'\nprint(1)\n\nprint(2)\nEND" and shown == []
