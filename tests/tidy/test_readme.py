"""README.md tells the truth: what it lists exists, and what it shows was run.

A console block has a mark in the line before it: `<!-- run -->` is run here, command by command, on
a cluster, and the output that is shown must be the real one (`…` stands for anything);
`<!-- tested by tests/… -->` names the test that runs the same commands in its own way.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Set

import pytest

from tests.support.cluster import Cluster
from tests.tidy.readme import Block, blocks, code, output_matches, tables
from tests.tidy.source import EVERYTHING, ROOT
from zookeeper.fabric.settings import SECTIONS, table

SECONDS_MAX = 120


def text() -> str:
    """README.md, which must exist."""
    return (ROOT / "README.md").read_text("utf-8")


def unmarked(found: List[Block]) -> List[str]:
    """Console blocks of which nobody says who runs them."""
    console = [block for block in found if block.language == "console"]
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
    from data_service.shell.commands import COMMANDS

    return set(COMMANDS)


def test_every_console_block_is_run_by_a_test() -> None:
    found = blocks(text())
    assert any(block.is_run for block in found)
    assert unmarked(found) == []
    assert untested(found) == []


def test_the_command_table_is_the_shells() -> None:
    listed = {name.split()[0] for cell in tables(text())["command"] for name in code(cell)}
    assert listed == shell_commands()


def test_the_settings_table_lists_only_what_exists() -> None:
    known = {key for section in SECTIONS for key in table(section)} | set(SECTIONS)
    listed = {name.strip("[]") for cell in tables(text())["setting"] for name in code(cell)}
    assert listed
    assert listed - known == set()


@pytest.mark.cluster
def test_the_console_blocks_do_what_they_show(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found = blocks(text())
    # Asked for only here: no cluster is started for a README that cannot be read.
    environment = prepare(request.getfixturevalue("shared_cluster"), tmp_path)
    for block in found:
        if block.is_run:
            for command, shown in block.steps:
                run_step(command, shown, tmp_path, environment)


def prepare(cluster: Cluster, folder: Path) -> Dict[str, str]:
    """The repository as a reader sees it, in a folder where commands may leave files."""
    for name in (*EVERYTHING, "README.md"):
        (folder / name).symlink_to(ROOT / name)
    commands = folder / ".commands"
    commands.mkdir()
    client = " ".join(f"'{word}'" for word in cluster.client_command())
    for name, line in (("python3", f"'{sys.executable}'"), ("pyhdfs", client)):
        (commands / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n', "utf-8")
        (commands / name).chmod(0o755)
    environment = cluster.environment("client")
    return dict(environment, PATH=f"{commands}{os.pathsep}{environment['PATH']}")


def run_step(command: str, shown: List[str], folder: Path, environment: Dict[str, str]) -> None:
    """Run one command as a reader would; it must succeed and say what is shown."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}"
    if any(shown):
        assert output_matches(shown, done.stdout), f"$ {command}\n{done.stdout}\nis not\n{shown}"


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


def test_a_step_that_fails_or_says_something_else_is_found(tmp_path: Path) -> None:
    environment = dict(os.environ)
    run_step("echo a", ["a"], tmp_path, environment)
    for command, shown in (("exit 3", []), ("echo b", ["a"])):
        with pytest.raises(AssertionError):
            run_step(command, shown, tmp_path, environment)
