"""scripts/environment.py: when is a virtual environment the right one?"""

from pathlib import Path
from typing import List

import pytest

from scripts import environment


@pytest.fixture(autouse=True)
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> List[List[str]]:
    """A repository with nothing but pyproject.toml; commands are noted down and not run."""
    ran: List[List[str]] = []
    (tmp_path / "pyproject.toml").write_text("one")
    folder = tmp_path / ".venv"
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "FOLDER", folder)
    monkeypatch.setattr(environment, "BEFORE", tmp_path / ".venv-before")
    monkeypatch.setattr(environment, "PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(environment, "_is_pip_new_enough", lambda: True)

    def note(command: List[str], failure: str) -> None:
        ran.append(command)
        if "venv" in command:
            (folder / "bin").mkdir(parents=True, exist_ok=True)
            (folder / "bin" / "python").touch()

    monkeypatch.setattr(environment, "_run", note)
    return ran


def test_nothing_is_there_at_first() -> None:
    assert not environment.is_ready("") and not environment.is_ready("test")


def test_what_was_made_is_ready_until_the_project_changes(tmp_path: Path) -> None:
    environment.make("test")
    assert environment.is_ready("test")
    (tmp_path / "pyproject.toml").write_text("two")
    assert not environment.is_ready("test")


def test_who_has_the_tests_has_the_project_but_not_the_reverse() -> None:
    environment.make("")
    assert environment.is_ready("") and not environment.is_ready("test")
    environment.make("test")
    assert environment.is_ready("") and environment.is_ready("test")


def test_another_python_begins_anew(
    commands: List[List[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.make("")
    environment.make("test")
    # The running daemons' environment is not pulled away only to add an extra.
    assert [command[2] for command in commands].count("venv") == 1
    monkeypatch.setattr(environment.sys, "executable", "/another/python3")
    assert not environment.is_ready("")
    environment.make("")
    assert [command[2] for command in commands].count("venv") == 2


@pytest.mark.parametrize("step", ["venv", "pip"])
def test_an_environment_stays_when_its_successor_cannot_be_made(
    step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    environment.make("")
    (environment.FOLDER / "installed by hand").touch()
    executable = environment.sys.executable
    monkeypatch.setattr(environment.sys, "executable", "/another/python3")
    run = environment._run

    def fail(command: List[str], failure: str) -> None:
        run(command, failure)
        if command[2] == step:
            raise RuntimeError(failure)

    monkeypatch.setattr(environment, "_run", fail)
    assert environment.main([]) == 1
    assert "the environment that was there before stays" in capsys.readouterr().err
    monkeypatch.setattr(environment.sys, "executable", executable)
    assert environment.is_ready("")
    assert (environment.FOLDER / "installed by hand").exists()
    assert not environment.BEFORE.exists()


def test_an_environment_that_was_left_aside_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    environment.make("")
    environment.FOLDER.rename(environment.BEFORE)

    def fail(command: List[str], failure: str) -> None:
        raise RuntimeError(failure)

    monkeypatch.setattr(environment, "_run", fail)
    assert environment.main([]) == 1
    assert environment.is_ready("")


def test_pip_gives_up_soon(commands: List[List[str]]) -> None:
    environment.make("")
    assert "--retries" in commands[-1] and "--timeout" in commands[-1]


def test_help_and_misuse_install_nothing(
    commands: List[List[str]], capsys: pytest.CaptureFixture
) -> None:
    assert environment.main(["--help"]) == 0
    assert "EXTRA" in capsys.readouterr().out
    for argv in (["--fast"], ["test", "more"]):
        assert environment.main(argv) == 2
    assert "usage: environment.py" in capsys.readouterr().err
    assert commands == []


def test_an_environment_whose_python_is_gone_is_not_ready() -> None:
    environment.make("")
    environment.PYTHON.unlink()
    assert not environment.is_ready("")


def test_a_failure_is_told_and_leaves_nothing_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(command: List[str], failure: str) -> None:
        raise RuntimeError(failure)

    monkeypatch.setattr(environment, "_run", fail)
    assert environment.main(["test"]) == 1
    assert "apt install python3-venv" in capsys.readouterr().err
    assert not environment.is_ready("test")


def test_the_answer_is_the_python(capsys: pytest.CaptureFixture) -> None:
    assert environment.main([]) == 0
    assert capsys.readouterr().out.strip() == str(environment.PYTHON)
