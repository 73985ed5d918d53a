"""README.md tells the truth about the house: its folders, and the way of a put through them."""

import os
import re
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, List, NamedTuple, Set

import pytest

from data_service.shell.main import main
from tests.support.clusters.gathered_cluster import GatheredCluster
from tests.tidy.readme import code, tables
from tests.tidy.source import PRODUCT, ROOT, sources

HOMES = (ROOT, ROOT / "data_service")
"""Where the README's paths begin."""


class Step(NamedTuple):
    """A function that a put passes through, as `path.py: function` says it."""

    path: str
    function: str


def readme() -> str:
    """README.md, which must exist."""
    return (ROOT / "README.md").read_text("utf-8")


def folders_shown(text: str) -> Set[str]:
    """The folders in the drawing of the house, each below the one that is less indented."""
    (drawing,) = re.findall(r"## Folders and floors\n.*?```\n(.*?)```", text, re.DOTALL)
    found: Set[str] = set()
    above: List[str] = []
    for line in drawing.splitlines():
        match = re.match(r"( *)((?:\w+/ ?)+)(?= |$)", line)
        if match:
            del above[len(match.group(1)) // 2 :]
            names = match.group(2).replace("/", "").split()
            found.update("/".join([*above, name]) for name in names)
            above.append(names[-1])
    return found


def steps(cells: List[str]) -> List[Step]:
    """The functions on the way, in their order."""
    return [Step(*part.split(": ")) for cell in cells for part in code(cell)]


def missing(way: List[Step]) -> List[str]:
    """Files that are not there, and functions that are not in them."""
    found = []
    for step in way:
        texts = [(home / step.path).read_text("utf-8") for home in HOMES
                 if (home / step.path).is_file()]
        if not any(f"def {step.function}(" in text for text in texts):
            found.append(f"{step.path}: {step.function}")
    return found


def not_passed(way: List[Step], calls: List[Step]) -> List[Step]:
    """The steps, from the first one that was not called behind all those before it."""
    left = list(way)
    for call in calls:
        if left and call == left[0]:
            del left[0]
    return left


class Trace:
    """Writes down, in a `with`, the calls of these functions, in threads that began within it."""

    def __init__(self, way: List[Step]) -> None:
        self.calls: List[Step] = []
        self._wanted = {step.function for step in way}

    def __enter__(self) -> "Trace":
        threading.setprofile(self._heed)
        sys.setprofile(self._heed)
        return self

    def __exit__(self, *_exception: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

    def _heed(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_name in self._wanted:
            for home in reversed(HOMES):
                start = f"{home}{os.sep}"
                if frame.f_code.co_filename.startswith(start):
                    path = frame.f_code.co_filename[len(start) :]
                    self.calls.append(Step(path, frame.f_code.co_name))
                    return


def test_the_folders_that_are_shown_are_those_that_exist() -> None:
    packages = {s.path.rpartition("/")[0] for s in sources(PRODUCT) if s.path.count("/")}
    assert folders_shown(readme()) == packages | {"scripts", "tests"}


def test_the_kinds_of_tests_are_those_that_exist() -> None:
    (told,) = re.findall(r"\ntests/ +(.*?)\n```", readme(), re.DOTALL)
    kinds = set(re.findall(r"\w+", re.sub(r"\(.*?\)", "", told, flags=re.DOTALL))) - {"and"}
    there = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert kinds == {name for name in there if "_" not in name and "." not in name} - {"support"}


def test_a_put_goes_the_way_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = steps(tables(readme())["a put passes"])
    assert len(way) > 10 and missing(way) == []
    local = tmp_path / "local"
    local.write_bytes(b"bytes")
    with Trace(way) as trace, GatheredCluster(tmp_path / "cluster") as cluster:
        monkeypatch.setenv("PYHDFS_CONFIG", str(cluster.config))
        del trace.calls[:]
        assert main(["put", str(local), "/file"]) == 0
    assert not_passed(way, trace.calls) == []


DRAWING = """
## Folders and floors
Words.
```
one/          first
  two/        second, with a word/ in it
    three/    third
  four/ five/ both
six.py        no folder
```
"""


def test_the_drawing_is_understood() -> None:
    assert folders_shown(DRAWING) == {"one", "one/two", "one/two/three", "one/four", "one/five"}


def test_a_wrong_way_is_found() -> None:
    here = Step("tests/tidy/test_readme_paths.py", "steps")
    there = here._replace(function="missing")
    assert steps(["`a.py: f` and `b/c.py: g`"]) == [Step("a.py", "f"), Step("b/c.py", "g")]
    assert missing([here, there]) == []
    assert len(missing([here._replace(function="absent"), here._replace(path="a.py")])) == 2
    assert not_passed([here, there], [there, here, here, there]) == []
    assert not_passed([here, there], [there, here]) == [there]


def test_a_trace_tells_who_was_called() -> None:
    here = Step("tests/tidy/test_readme_paths.py", "steps")
    with Trace([here]) as trace:
        threads = [threading.Thread(target=steps, args=([],)) for _ in range(2)]
        for thread in threads:
            thread.start()
            thread.join()
        missing([])
    assert trace.calls == [here, here]
