"""One door for each dangerous dependency: who may import what, and what nobody may."""

import ast
from typing import Dict, List, Set

import pytest

from tests.tidy.source import EVERYTHING, PRODUCT, Source, imports, report, sources

GATES: Dict[str, Set[str]] = {
    # RPyC is slow and unsafe unless tamed, and is tamed in one place. Tests break links and
    # bind ports, so only the product is held to it.
    "rpyc": {"zookeeper/fabric/frames.py", "zookeeper/fabric/rpc.py"},
    "socket": {"zookeeper/fabric/sockets.py"},
    "ssl": {"zookeeper/fabric/tls.py", "zookeeper/fabric/tls_stream.py"},
    "sqlite3": {"metadata_service/record/sqlite.py"},
}

BANNED = {
    "configparser": "config.ini is read by fabric/settings.py, which reports file and line",
    "pickle": "it runs whatever bytes say; JSON and struct do not",
    "marshal": "it is for Python's own files",
    "shelve": "it is pickle",
    "imp": "it left Python",
    "distutils": "it left Python",
    "asyncio": "processes here are threads that block; two worlds would need two of everything",
}


def gate_violations(source: Source) -> List[str]:
    """Imports of a guarded module anywhere but in its own gate."""
    found = []
    for item in imports(source):
        top = item.module.split(".")[0]
        if not item.level and source.path not in GATES.get(top, {source.path}):
            found.append(source.at(item.node, f"imports {top}, a right of {sorted(GATES[top])}"))
    return found


def banned_imports(source: Source) -> List[str]:
    """Imports of what nobody may use, also of `_pickle` and by way of `__import__`."""
    found = []
    for item in imports(source):
        top = item.module.split(".")[0].lstrip("_")
        if top in BANNED:
            found.append(source.at(item.node, f"imports {top}: {BANNED[top]}"))
    if "__import__" + "(" in source.text:
        found.append(f"{source.path}:1: hides an import from this check")
    return found


WALL_CLOCK = (
    "zookeeper/fabric/moments.py",
    "data_service/namenode/dates.py",
    "data_service/filesystem/conveniences.py",
    "data_service/filesystem/trash.py",
    "data_service/shell/",
)
"""Who tells people the time: that of files (also to those that are touched), of a checkpoint of the
trash, and of a report. And who judges whether a key or token that another machine made is too old,
with minutes to spare."""

_TIMES = {"time", "time_ns", "ctime", "localtime", "gmtime", "now", "utcnow", "today"}


def wall_clock_readings(source: Source) -> List[str]:
    """Where the time of day is read: `time.time()`, `datetime.now()` and the like."""
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = node.value.id
            if node.attr in _TIMES and owner in ("time", "datetime", "date"):
                found.append(source.at(node, f"{owner}.{node.attr} reads the wall clock"))
    for item in imports(source):
        if item.module == "time" and item.name in _TIMES:
            found.append(source.at(item.node, f"imports {item.name}, the wall clock"))
    return found


def test_gates_are_kept() -> None:
    findings = [line for source in sources(PRODUCT) for line in gate_violations(source)]
    assert not findings, report(findings)


def test_nobody_imports_what_is_banned() -> None:
    findings = [line for source in sources(EVERYTHING) for line in banned_imports(source)]
    assert not findings, report(findings)


def test_no_decision_rests_on_the_wall_clock() -> None:
    """HDFS-6841, HDFS-6453, HDFS-12526: a clock that was set ended leases and nodes."""
    findings = [line for source in sources(PRODUCT) if not source.path.startswith(WALL_CLOCK)
                for line in wall_clock_readings(source)]
    assert not findings, report(findings)


@pytest.mark.parametrize(
    "text",
    ["import time\nx = time.time()", "from time import time", "import time\nf = time.time_ns",
     "from datetime import datetime\nx = datetime.now()", "import time\ntime.localtime()"],
)
def test_a_reading_of_the_wall_clock_is_found(text: str) -> None:
    assert wall_clock_readings(Source.of("data_service/x.py", text))
    assert not wall_clock_readings(Source.of("x.py", "import time\ntime.monotonic()"))


@pytest.mark.parametrize(
    "text", ["import rpyc.core", "from socket import socket", "import sqlite3"]
)
def test_a_way_around_a_gate_is_found(text: str) -> None:
    assert len(gate_violations(Source.of("data_service/x.py", text))) == 1


def test_the_gate_itself_may_import() -> None:
    assert gate_violations(Source.of("zookeeper/fabric/rpc.py", "import rpyc")) == []
    assert gate_violations(Source.of("zookeeper/fabric/sockets.py", "import socket")) == []
    assert len(gate_violations(Source.of("zookeeper/fabric/rpc.py", "import socket"))) == 1
    # A name of ours that merely looks the same is no concern of the gate.
    assert gate_violations(Source.of("data_service/x.py", "import socketry")) == []


@pytest.mark.parametrize(
    "text", ["import configparser", "def f():\n    from _pickle import loads", "__import" "__('x')"]
)
def test_a_banned_import_is_found(text: str) -> None:
    assert len(banned_imports(Source.of("data_service/x.py", text))) == 1
