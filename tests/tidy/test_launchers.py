"""The six launchers are doors: they open from everywhere, and nothing is behind the frame."""

import ast
import os
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, run
from typing import List

import pytest

from tests.tidy.source import LAUNCHERS, ROOT, Source, report, sources

PREAMBLE = """
import os
import sys

if not __package__:
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

import zookeeper.needs
"""

ENDING = """
if __name__ == "__main__":
    sys.exit(main())
"""

SECONDS_MAX = 60


def _shape(statements: List[ast.stmt]) -> List[str]:
    return [ast.dump(statement) for statement in statements]


def faults_of_launcher(source: Source) -> List[str]:
    """Whatever makes a launcher more, or less, than a door.

    A docstring; the path's first entry replaced when it was started as a file, because that entry
    is the launcher's own folder, whose modules must not be found by their bare names; a look at
    what is needed; one absolute import of `main`; its call.
    """
    head, tail = _shape(ast.parse(PREAMBLE).body), _shape(ast.parse(ENDING).body)
    body = source.tree.body[1:]
    if not ast.get_docstring(source.tree) or _shape(body[: len(head)]) != head:
        return [source.at(source.tree, "does not begin with a docstring and the preamble")]
    rest = body[len(head) :]
    if _shape(rest[1:]) != tail:
        return [source.at(rest[0] if rest else source.tree, "is more than one import and a call")]
    door = rest[0]
    if not isinstance(door, ast.ImportFrom) or [name.name for name in door.names] != ["main"]:
        return [source.at(door, "imports something else than main")]
    return []


def _run(
    arguments: List[str], folder: Path, with_path: bool = False
) -> "CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYHDFS"))}
    if with_path:
        environment["PYTHONPATH"] = str(ROOT)
    return run(
        [sys.executable] + arguments,
        cwd=folder,
        env=environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )


def _assert_helps(done: "CompletedProcess[str]") -> None:
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage" in done.stdout.lower()


def _file(launcher: str) -> Path:
    return ROOT / (launcher.replace(".", "/") + ".py")


each_launcher = pytest.mark.parametrize("launcher", sorted(LAUNCHERS))


@each_launcher
def test_launcher_is_only_a_door(launcher: str) -> None:
    path = _file(launcher).relative_to(ROOT).as_posix()
    findings = faults_of_launcher(Source.of(path, _file(launcher).read_text("utf-8")))
    assert not findings, report(findings)


def test_there_are_no_other_doors() -> None:
    product = sources(("zookeeper", "metadata_service", "data_service"))
    assert {s.name for s in product if "__main__" in s.text} == LAUNCHERS


@each_launcher
def test_launcher_runs_as_a_file_from_another_folder(launcher: str, tmp_path: Path) -> None:
    _assert_helps(_run([str(_file(launcher)), "--help"], tmp_path))


@each_launcher
def test_launcher_runs_as_a_relative_file_from_its_own_folder(launcher: str) -> None:
    path = _file(launcher)
    _assert_helps(_run([path.name, "--help"], path.parent))


@each_launcher
def test_launcher_runs_through_a_symbolic_link(launcher: str, tmp_path: Path) -> None:
    link = tmp_path / "started-here"
    link.symlink_to(_file(launcher))
    _assert_helps(_run([str(link), "--help"], tmp_path))


@each_launcher
def test_launcher_runs_as_a_module(launcher: str) -> None:
    _assert_helps(_run(["-m", launcher, "--help"], ROOT))


def test_the_command_line_runs_as_a_package() -> None:
    _assert_helps(_run(["-m", "data_service", "--help"], ROOT))


@each_launcher
def test_launcher_runs_as_an_installed_command(launcher: str, tmp_path: Path) -> None:
    # This is what pip writes into the command's file.
    code = f"import sys; from {launcher} import main; sys.exit(main())"
    _assert_helps(_run(["-c", code, "--help"], tmp_path, with_path=True))


def test_commands_are_declared() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for launcher in LAUNCHERS:
        assert f'= "{launcher}:main"' in text


NEEDS = ROOT / "zookeeper" / "needs.py"


@each_launcher
def test_an_old_python_can_read_the_launcher(launcher: str) -> None:
    for path in (_file(launcher), NEEDS, ROOT / "zookeeper" / "__init__.py"):
        text = path.read_text("ascii")
        ast.parse(text, feature_version=(3, 4))
        assert "f\"" not in text and "->" not in text, "Python 2.7 knows neither"


@each_launcher
def test_without_rpyc_there_is_one_sentence(launcher: str, tmp_path: Path) -> None:
    # Without the site's modules there is only the standard library. The command line can give
    # help without a cluster, and so without RPyC.
    words = ["ls", "/"] if launcher.endswith("client") else ["--help"]
    done = _run(["-S", str(_file(launcher)), *words], tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "RPyC is not installed for" in done.stderr


@each_launcher
def test_on_an_old_python_there_is_one_sentence(launcher: str, tmp_path: Path) -> None:
    name = _file(launcher)
    code = f"import runpy, sys; sys.version_info = (3, 8, 18); runpy.run_path({str(name)!r})"
    done = _run(["-c", code], ROOT)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "needs Python 3.9 or newer, and this is 3.8: " in done.stderr


DOOR = f'"""Door."""\n{PREAMBLE}\nfrom zookeeper.service import main  # noqa: E402\n{ENDING}'


def test_a_door_is_right() -> None:
    assert faults_of_launcher(Source.of("zookeeper/zk.py", DOOR)) == []


@pytest.mark.parametrize(
    "before, after",
    [
        ('"""Door."""', ""),
        ("sys.path[0] =", "sys.path.insert(0,"),
        ("if not __package__", "if True"),
        ("import main", "import run"),
        ("sys.exit(main())", "main()"),
        ("import main  #", "import main\nx = 1  #"),
    ],
)
def test_what_is_no_door_is_found(before: str, after: str) -> None:
    text = DOOR.replace(before, after)
    text = text.replace("(__file__)))\n", "(__file__))))\n") if "insert" in after else text
    assert len(faults_of_launcher(Source.of("zookeeper/zk.py", text))) == 1
