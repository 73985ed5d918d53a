"""scripts/bench.py --peer: what an HDFS's script says is understood, and both sides are told."""

import json
from pathlib import Path
from typing import List

import pytest

from scripts import bench
from scripts.benchmark.hdfs import Hdfs, parse_answer, peaks
from scripts.benchmark.side_by_side import SideBySide

STATUS = """\
datanode1 pid=4217 rss_mib=151 peak_rss_mib=195
datanode2 dead
namenode pid=4141 rss_mib=201 peak_rss_mib=215
"""

SCRIPT = """\
case $1 in
status) cat "$(dirname "$0")/status" ;;
put) echo "$@" >&2; exit "$4" ;;
jvm)
    echo '{"ready": true}'
    while read -r line; do
        case $line in
        quit) exit 0 ;;
        'stat /names 2000 8') echo '{"s": 0.408163}' ;;
        'list /names 16') echo '{"s": 0.271186, "entries": 2000}' ;;
        *) echo '{"error": "java.io.FileNotFoundException: /names"}' ;;
        esac
    done ;;
esac
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a script says what HDFS's said once."""
    (tmp_path / "hdfs.sh").write_text(SCRIPT, "utf-8")
    (tmp_path / "status").write_text(STATUS, "utf-8")
    return tmp_path


def test_orders_are_answered(directory: Path) -> None:
    with Hdfs(directory, directory / "errors") as hdfs:
        assert hdfs.memory() == {"datanode1": 195, "namenode": 215}
        assert hdfs.order("stat", "/names", 2000, 8) == 0.408163
        assert hdfs.order("list", "/names", 16) == 0.271186
        with pytest.raises(RuntimeError, match="HDFS: java.io.FileNotFoundException"):
            hdfs.order("rename", "/names", 2000, 1)
        assert hdfs.command("put", "/local", "/path", 0) > 0
        with pytest.raises(RuntimeError, match="status 3: put /local /path 3"):
            hdfs.command("put", "/local", "/path", 3)


def test_a_peer_that_does_not_run_is_refused(directory: Path) -> None:
    (directory / "status").write_text("", "utf-8")
    with pytest.raises(RuntimeError, match="no HDFS runs"):
        Hdfs(directory, directory / "errors")


@pytest.mark.parametrize("line", ["", "Exception in thread\n", "[]", "1", '{"x": 1}'])
def test_what_is_no_answer_is_no_sample(line: str) -> None:
    with pytest.raises(RuntimeError, match="HDFS: "):
        parse_answer(line)


def test_memory_is_that_of_daemons_that_run() -> None:
    assert peaks(["nothing running"]) == {} and peaks(STATUS.splitlines())["namenode"] == 215


def test_ours_stand_beside_theirs() -> None:
    sides = SideBySide(("ours", "theirs"), [("ours", "theirs")])
    # The second round is of a minute in which the machine was four times slower.
    for ours, theirs in ((900.0, 300.0), (200.0, 100.0), (800.0, 400.0)):
        sides.add("large", "put", "MB/s", ours, theirs)
    sides.add("memory", "namenode", "MiB", 40.0, 215.0)
    assert sides.table().splitlines() == [
        "large",
        "            ours  theirs  unit  ours : theirs",
        "  put        800     300  MB/s           2.00",
        "",
        "memory",
        "            ours  theirs  unit  ours : theirs",
        "  namenode  40.0     215  MiB            0.19",
    ]
    assert json.loads(json.dumps(sides.as_json()))[0] == {
        "group": "large",
        "name": "put",
        "unit": "MB/s",
        "ours": [900, 200, 800],
        "theirs": [300, 100, 400],
        "ratios": {"ours : theirs": 2},
    }


def test_sides_are_compared_as_asked_and_never_with_nothing() -> None:
    sides = SideBySide(("plain", "locked", "sealed"), [("locked", "plain"), ("sealed", "plain")])
    sides.add("small", "put", "us each", 0.0, 1.0, 2.0)
    sides.add("small", "put", "us each", 2.0, 3.0, 4.0)
    sides.add("small", "get", "us each", 0.0, 3.0, 4.0)
    assert sides.table().splitlines() == [
        "small",
        "       plain  locked  sealed  unit     locked : plain  sealed : plain",
        "  put   1.00    2.00    3.00  us each            1.50            2.00",
        "  get   0.00    3.00    4.00  us each",
    ]


@pytest.mark.parametrize(
    "together",
    [
        ["--peer", "/somewhere", "--check", "saved"],
        ["--peer", "/somewhere", "--namespace", "10"],
        ["--security", "--namespace", "10"],
        ["--security", "--check", "saved"],
        ["--security", "--peer", "/somewhere"],
    ],
)
def test_what_is_measured_alone_is_asked_for_alone(together: List[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        bench.parse(together)
    assert refused.value.code == 2


def test_a_namespace_is_compared_with_one_before() -> None:
    assert bench.parse(["--namespace", "10", "--check", "saved"]).namespace == 10
