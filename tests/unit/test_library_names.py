"""What can be imported from the library, and what that costs."""

import subprocess
import sys
from pathlib import Path

import data_service.filesystem as library
from tests.tidy.readme import code, tables
from zookeeper.fabric import errors

ROOT = Path(__file__).resolve().parents[2]


def test_all_that_is_listed_is_there() -> None:
    for name in library.__all__:
        assert getattr(library, name).__name__ == name
    assert not hasattr(library, "no_such_name")


def test_the_errors_that_the_readme_explains_can_be_imported() -> None:
    cells = tables((ROOT / "README.md").read_text("utf-8"))["exception"]
    explained = {name for cell in cells for name in code(cell)}
    assert explained and explained <= set(library.__all__)
    for name in explained:
        assert getattr(library, name) is getattr(errors, name)


def test_small_modules_do_not_bring_the_whole_client() -> None:
    text = "import sys, data_service.filesystem.globs; print('rpyc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"False\n", b"")


def test_the_packages_say_that_they_are_typed() -> None:
    for package in ("zookeeper", "metadata_service", "data_service"):
        assert (ROOT / package / "py.typed").exists()
        assert f'{package} = ["py.typed"]' in (ROOT / "pyproject.toml").read_text("utf-8")
