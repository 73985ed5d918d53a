"""Which release this is, and what a Python without RPyC is told."""

import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.tidy.source import LAUNCHERS, ROOT
from zookeeper.fabric import release


def without_packages(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run this Python without all that is installed for it."""
    return subprocess.run(
        [sys.executable, "-S", *words], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )


@pytest.mark.parametrize("launcher", sorted(LAUNCHERS))
def test_who_forgot_to_activate_is_told_in_a_sentence(launcher: str) -> None:
    arguments: List[str] = {"data_service.client": ["ls", "/"]}.get(launcher, [])
    done = without_packages(launcher.replace(".", "/") + ".py", *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "RPyC is not installed for" in done.stderr and ".venv/bin/activate" in done.stderr


@pytest.mark.parametrize("script", ["bench", "chaos", "fuzz", "simulate"])
def test_a_script_says_it_in_a_sentence_too(script: str) -> None:
    done = without_packages(f"scripts/{script}.py")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "RPyC is not installed for" in done.stderr


def test_another_program_can_catch_it() -> None:
    body = (
        "try: from data_service.filesystem import FileSystem\n"
        "except ImportError as e: print(e.name)"
    )
    done = without_packages("-c", body)
    assert (done.returncode, done.stdout, done.stderr) == (0, "rpyc\n", "")


def test_the_programs_are_the_launchers() -> None:
    files = {Path(launcher.replace(".", "/")).name + ".py" for launcher in LAUNCHERS}
    assert set(release._PROGRAMS) == files


def test_a_release_is_told_with_its_python() -> None:
    assert release.release().startswith(f"PyHDFS {release.VERSION}, Python 3.")
