"""scripts/bench.py: its arithmetic, its table, its floors on a small file, its command line."""

import json
import os
import sys
from pathlib import Path
from statistics import median
from time import process_time

import pytest

from scripts import bench
from scripts.benchmark import floors, trial
from scripts.benchmark.processor_time import ProcessorTime, seconds_of
from scripts.benchmark.results import Goal, Results, number
from scripts.benchmark.secured import SECRET, SIMPLE, secured

FAST = Goal(0.9)
SMALL = Goal(150, at_most=True)


@pytest.fixture
def results() -> Results:
    """Three rounds on a machine that was four times slower in the second one."""
    made = Results()
    for floor, put in ((1000.0, 900.0), (250.0, 240.0), (1000.0, 940.0)):
        made.add("large", "floor", floor, "MB/s")
        made.add("large", "put", put, "MB/s", FAST, "floor")
        made.add("memory", "node", put / 5, "MiB", SMALL)
    return made


def test_rows_stay_together_by_group(results: Results) -> None:
    names = [(row.group, row.name) for row in results.rows]
    assert names == [("large", "floor"), ("large", "put"), ("memory", "node")]
    assert [row.median for row in results.rows] == [1000, 900, 180]


def test_a_ratio_is_taken_round_by_round(results: Results) -> None:
    floor, put, node = results.rows
    # The medians alone would say 0.90: they are of different rounds.
    assert median(results.ratios(put)) == pytest.approx(0.94)
    assert results.ratios(floor) == floor.samples
    assert median(results.ratios(node)) == 180


def test_goals_have_a_side() -> None:
    assert FAST.is_met(0.9) and not FAST.is_met(0.89)
    assert SMALL.is_met(150) and not SMALL.is_met(150.1)


def test_the_table_is_aligned_and_says_what_was_missed(results: Results) -> None:
    assert results.table().splitlines() == [
        "large",
        "         median  lowest  highest  unit  goal             reached",
        "  floor   1,000     250    1,000  MB/s",
        "  put       900     240      940  MB/s  >= 0.9 of floor     0.94  yes",
        "",
        "memory",
        "         median  lowest  highest  unit  goal             reached",
        "  node      180    48.0      188  MiB   <= 150               180  NO",
    ]


def test_a_program_reads_the_same(results: Results) -> None:
    floor, put, node = json.loads(json.dumps(results.as_json()))
    assert floor == {
        "group": "large",
        "name": "floor",
        "unit": "MB/s",
        "median": 1000,
        "samples": [1000, 250, 1000],
    }
    assert put["judged"] == pytest.approx(0.94)
    assert put["goal"] == {"bound": 0.9, "at_most": False, "met": True}
    assert put["floor"] == "floor" and put["ratios"] == pytest.approx([0.9, 0.96, 0.94])
    assert node["goal"]["met"] is False


def test_a_row_does_not_change_its_meaning(results: Results) -> None:
    with pytest.raises(AssertionError):
        results.add("large", "put", 1.0, "files/s", FAST, "floor")


def test_a_ratio_needs_as_many_samples_on_both_sides(results: Results) -> None:
    results.add("large", "floor", 1000.0, "MB/s")
    with pytest.raises(AssertionError):
        results.table()


@pytest.mark.parametrize(
    "value, text",
    [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    "text, count", [("1G", 1 << 30), ("64M", 64 << 20), ("3k", 3 << 10), ("4096", 4096)]
)
def test_sizes_on_the_command_line(text: str, count: int) -> None:
    assert bench.parse(["--size", text]).size == count


@pytest.mark.parametrize("text", ["", "G", "0", "-1", "1T", "1.5G", "x"])
def test_a_wrong_size_is_refused(text: str) -> None:
    with pytest.raises(SystemExit) as refused:
        bench.parse(["--size", text])
    assert refused.value.code == 2


def test_a_quick_run_is_smaller_unless_told() -> None:
    whole, quick = bench.scale_of(bench.parse([])), bench.scale_of(bench.parse(["--quick"]))
    assert whole.size == 1 << 30 and whole.repeat == 3 and whole.files == 1000
    assert all(small < large for small, large in zip(quick, whole))
    assert bench.scale_of(bench.parse(["--quick", "--repeat", "5"])).repeat == 5


@pytest.mark.parametrize("size", [1, floors.PIECE_BYTES, 3 * floors.PIECE_BYTES + 7])
def test_every_hop_gets_every_byte(tmp_path: Path, size: int) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(size))
    with floors.Hops(sys.executable, tmp_path / "hops", source) as hops:
        for count in (1, 3):
            assert hops.pipeline(source, count) > 0
            taken = list((tmp_path / "hops").iterdir())
            assert [path.read_bytes() for path in taken] == [source.read_bytes()] * count
            assert hops.fetch(size, copy) > 0 and hops.fetch(size, None) > 0
            assert copy.read_bytes() == source.read_bytes()
            copy.unlink()
            hops.forget()
            assert not list((tmp_path / "hops").iterdir())


def test_the_floors_of_files_leave_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"some")
    assert floors.copy_and_sync(source, tmp_path / "copy") > 0
    assert floors.append_and_sync(tmp_path / "log", 200, 3) > 0
    assert list(tmp_path.iterdir()) == [source]


def test_the_peak_of_a_command_is_seen(tmp_path: Path) -> None:
    seconds, peak = trial.run([sys.executable, "-c", "b'x' * (64 << 20)"], tmp_path / "errors")
    assert seconds > 0 and peak > 64
    assert trial.memory_of(os.getpid())[1] > 0


def test_a_command_that_fails_is_no_sample(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="status 3: no such luck"):
        command = [sys.executable, "-c", "import sys; print('no such luck', file=sys.stderr)"]
        command[2] += "; sys.exit(3)"
        trial.run(command, tmp_path / "errors")


def test_processor_time_is_told_by_kind_of_process() -> None:
    own = os.getpid()
    time = ProcessorTime({"data_node_1": own, "data_node_2": own, "name_node": own})
    begun = process_time()
    while process_time() - begun < 0.1:
        pass
    used = time.used()
    assert set(used) == {"data_node", "name_node"}
    assert used["name_node"] >= 0.05 and used["data_node"] >= 2 * 0.05
    assert seconds_of(own) > 0 and ProcessorTime({"gone": 1 + (1 << 22)}).used() == {"gone": 0}


def test_a_cluster_is_of_the_mode_that_it_is_measured_in(tmp_path: Path) -> None:
    # The key is made by the first start, as everybody's.
    assert secured(tmp_path, SIMPLE, "127.0.0.1") == []
    assert secured(tmp_path, SECRET, "127.0.0.1") == [
        "[security]",
        "mode = secret",
        f"key_file = {tmp_path}/cluster.key",
    ]
    assert not list(tmp_path.iterdir())
