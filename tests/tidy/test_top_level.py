"""The top level holds what the design allows, and no file is astray."""

import fnmatch
import os
from pathlib import Path
from typing import Iterable, Iterator, List

from tests.tidy.source import EVERYTHING, LAUNCHERS, ROOT, report

ALLOWED = set(EVERYTHING) | {"config.ini", "README.md", "pyproject.toml"}

FILE_BYTES_MAX = 100_000

EXECUTABLES = ("scripts/", ".ci/") + tuple(name.replace(".", "/") + ".py" for name in LAUNCHERS)


def ignored_patterns() -> List[str]:
    """The names that .gitignore keeps out of the repository."""
    lines = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    return [line.strip("/") for line in lines if line and not line.startswith("#")]


def _is_ignored(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def strays(names: Iterable[str], patterns: Iterable[str]) -> List[str]:
    """Top-level names that are neither allowed, nor dotted, nor kept out of the repository."""
    patterns = list(patterns)
    return sorted(
        name
        for name in names
        if name not in ALLOWED and not name.startswith(".") and not _is_ignored(name, patterns)
    )


def project_files() -> Iterator[Path]:
    """Every file of the repository, without what .gitignore keeps out of it."""
    patterns = ignored_patterns() + [".git"]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not _is_ignored(name, patterns)]
        for name in files:
            if not _is_ignored(name, patterns):
                yield Path(folder, name)


def faults_of_file(path: str, size: int, executable: bool, text_start: bytes) -> List[str]:
    """A file that is too large, or is executable where it should not be, or the reverse."""
    found = []
    if size > FILE_BYTES_MAX:
        found.append(f"{path}: {size} bytes, more than {FILE_BYTES_MAX}")
    if executable and not path.startswith(EXECUTABLES):
        found.append(f"{path}: is executable")
    if text_start.startswith(b"#!") != executable:
        found.append(f"{path}: has a #! line, or is executable, but not both")
    return found


def test_top_level_is_what_the_design_allows() -> None:
    assert strays(os.listdir(ROOT), ignored_patterns()) == []


def test_no_file_is_astray() -> None:
    findings: List[str] = []
    for path in project_files():
        name = path.relative_to(ROOT).as_posix()
        executable = os.access(path, os.X_OK)
        with open(path, "rb") as file:
            start = file.read(2)
        findings += faults_of_file(name, path.stat().st_size, executable, start)
    assert not findings, report(findings)


def test_a_stray_is_found() -> None:
    names = ["zookeeper", ".ci", "data", "notes.txt", "pyhdfs.egg-info", "config.ini"]
    assert strays(names, ["data", "*.egg-info"]) == ["notes.txt"]


def test_a_file_astray_is_found() -> None:
    assert faults_of_file("scripts/x", 10, True, b"#!") == []
    assert faults_of_file("zookeeper/zk.py", 10, True, b"#!") == []
    assert faults_of_file("zookeeper/x.py", 10, False, b'""') == []
    assert len(faults_of_file("zookeeper/x.bin", 100_001, False, b"\0\0")) == 1
    assert len(faults_of_file("zookeeper/x.py", 10, True, b"#!")) == 1
    assert len(faults_of_file("scripts/x", 10, False, b"#!")) == 1
    assert len(faults_of_file("scripts/x", 10, True, b"im")) == 1


def test_what_a_cluster_writes_is_ignored() -> None:
    patterns = ignored_patterns()
    assert _is_ignored("data", patterns) and _is_ignored(".venv", patterns)
