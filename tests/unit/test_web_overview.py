"""What the gateway tells of a cluster: its health in a sentence, its datanodes, its last hour."""

import json
from typing import Any, Dict, Tuple

import pytest

from data_service.protocol.health import AilingMember, ClusterStatus
from data_service.web.figures.condition import CRITICAL, GOOD, WARNING, findings
from data_service.web.figures.datanode_rows import READ, WRITTEN, datanode_rows
from data_service.web.figures.history import POINTS_MAX, History, increase, point_of
from data_service.web.figures.overview import overview
from data_service.web.figures.sightings import Look, Sighting
from tests.support.models.seen_cluster import (
    ADDRESSES,
    NODES,
    STATUS,
    calls,
    counters,
    look,
    node,
    process,
)
from zookeeper.fabric.figures import SECONDS, Family, Sample, quantile

NAME_NODE, METADATA, ZOOKEEPER = "localhost:1800", "localhost:18005", "localhost:18861"
MANY = {
    **ADDRESSES,
    "metadata": ("localhost:1", "localhost:2", "localhost:3"),
    "zookeeper": ("localhost:4", "localhost:5", "localhost:6"),
}
TWO = {**ADDRESSES, "name_node": (NAME_NODE, "localhost:1810")}


FOREIGN = AilingMember("localhost:2", "of another record", "keeps another record", "Stop it.")


def having(**changed: Any) -> ClusterStatus:
    """The usual status with these changes."""
    return STATUS._replace(**changed)


CASES = [
    ("well", look(), GOOD,
     "All is well: 3 datanodes live, and all 5 blocks have all their replicas."),
    ("empty", look(status=having(blocks=0)), GOOD,
     "All is well: 3 datanodes live, and there are no blocks yet."),
    ("single", look(status=having(blocks=1), nodes=NODES[:1], addresses={
        **ADDRESSES, "data_node": ("localhost:1801",)}), GOOD,
     "All is well: 1 datanode lives, and the only block has all its replicas."),
    ("no namenode", look(down=(NAME_NODE,)), CRITICAL,
     "The namenode localhost:1800 does not answer."),
    ("no namenodes", look(down=TWO["name_node"], addresses=TWO), CRITICAL,
     "The namenodes localhost:1800, localhost:1810 do not answer."),
    ("no leader", look(leads=False), CRITICAL,
     "No namenode leads: files can be neither read nor written."),
    ("no standby", look(down=("localhost:1810",), addresses=TWO), WARNING,
     "The namenode localhost:1810 does not answer: there are fewer to take over from the one "
     "that leads."),
    ("no metadata", look(down=(METADATA,)), CRITICAL,
     "The metadata service localhost:18005 does not answer: nothing can be changed."),
    ("no zookeeper", look(down=(ZOOKEEPER,)), WARNING,
     "The zookeeper localhost:18861 does not answer: the cluster goes on, but takes no datanode "
     "for dead."),
    ("one of three metadata services", look(down=("localhost:2",), addresses=MANY), WARNING,
     "The metadata service localhost:2 does not answer: the others keep the record, as long as "
     "they are more than half of all."),
    ("one metadata service", look(down=("localhost:1", "localhost:2"), addresses=MANY), CRITICAL,
     "The metadata services localhost:1, localhost:2 do not answer: nothing can be changed."),
    ("one zookeeper", look(down=("localhost:4", "localhost:5"), addresses=MANY), WARNING,
     "The zookeepers localhost:4, localhost:5 do not answer: the cluster goes on, with the "
     "others."),
    ("a metadata service that does not count", look(ailing=(FOREIGN,)), WARNING,
     "The metadata service localhost:2 keeps another record."),
    ("no datanodes", look(nodes=()), CRITICAL,
     "No datanode is there: files can be neither read nor written."),
    ("all dead", look(nodes=(node(1801, "dead"),)), CRITICAL,
     "No datanode is there: files can be neither read nor written."),
    ("one dead", look(nodes=(node(1801, "dead"), *NODES[1:])), WARNING,
     "1 of 3 datanodes is dead: localhost:1801."),
    ("unnamed", look(nodes=(node(1801, "dead", host=""), node(1802, host=""))), WARNING,
     "1 of 2 datanodes is dead."),
    ("many dead", look(nodes=tuple([node(1801 + n, "dead" if n else "live") for n in range(6)])),
     WARNING, "5 of 6 datanodes are dead: localhost:1802, localhost:1803, localhost:1804 and 2 "
     "more."),
    ("stale", look(nodes=(node(1801, "stale"), *NODES[1:])), WARNING,
     "1 of 3 datanodes is silent: localhost:1801."),
    ("IPv6", look(nodes=(node(1801, "stale", host="::1"), *NODES[1:])), WARNING,
     "1 of 3 datanodes is silent: [::1]:1801."),
    ("absent", look(nodes=NODES[1:], down=("localhost:1801",)), WARNING,
     "1 datanode of config.ini has not reported: localhost:1801."),
    ("directory", look(nodes=(node(1801, failed=1), *NODES[1:])), WARNING,
     "1 directory of datanodes has failed."),
    ("directories", look(nodes=(node(1801, failed=2), *NODES[1:])), WARNING,
     "2 directories of datanodes have failed."),
    ("missing", look(status=having(missing=1)), CRITICAL,
     "1 block is missing: no datanode that lives has a replica."),
    ("corrupt", look(status=having(corrupt=1200)), CRITICAL,
     "1,200 blocks are corrupt: only damaged replicas are left."),
    ("under", look(status=having(under_replicated=1)), WARNING,
     "1 block has fewer replicas than wanted."),
    ("copied", look(status=having(under_replicated=9, pending_replication=2, urgent=1)), WARNING,
     "9 blocks have fewer replicas than wanted; 1 of them has only one left; 2 of them are being "
     "copied."),
    ("room", look(status=having(remaining=99)), WARNING,
     "Room is short: 9.9 % of the capacity is left."),
    ("no room", look(status=having(remaining=29)), CRITICAL,
     "Room is short: 2.9 % of the capacity is left."),
    ("no capacity", look(status=having(capacity=0, remaining=0)), GOOD,
     "All is well: 3 datanodes live, and all 5 blocks have all their replicas."),
    ("safe mode", look(status=having(safe_mode=True, safe_mode_reason="It was turned on.",
                                     under_replicated=3)), WARNING,
     "Safe mode is on, and nothing can be changed: It was turned on."),
    ("safe mode, no reason", look(status=having(safe_mode=True)), WARNING,
     "Safe mode is on, and nothing can be changed."),
]  # fmt: skip


def test_who_is_silent_to_all_is_to_be_started() -> None:
    nodes, it = (node(1801, "stale"), *NODES[1:]), "localhost:1801"
    assert "start it" in findings(look(nodes=nodes, down=(it,)))[0].advice
    assert "busy" in findings(look(nodes=nodes, down=("localhost:1802",)))[0].advice
    assert "one of them" in findings(look(down=TWO["name_node"], addresses=TWO))[0].advice


@pytest.mark.parametrize("seen, severity, sentence", [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])
def test_health_in_a_sentence(seen: Look, severity: str, sentence: str) -> None:
    first = findings(seen)[0]
    assert (first.severity, first.sentence) == (severity, sentence)
    assert (first.advice == "") == (severity == GOOD)


def test_a_metadata_service_that_nobody_reaches_is_told_of_once() -> None:
    seen = look(down=("localhost:2",), addresses=MANY, ailing=(FOREIGN,))
    assert len(findings(seen)) == 1
    seen = look(down=("localhost:3",), addresses=MANY, ailing=(FOREIGN,))
    assert [one.advice for one in findings(seen)][1:] == ["Stop it."]


def test_the_worst_comes_first_and_the_rest_is_told() -> None:
    seen = look(nodes=(node(1801, "dead"), *NODES[1:]), status=having(missing=2, remaining=50))
    assert [one.severity for one in findings(seen)] == [CRITICAL, WARNING, WARNING]
    assert "localhost:1801" in findings(seen)[0].advice, "who may have the blocks"
    assert [row["severity"] for row in overview(seen)["health"]["more"]] == [WARNING] * 2


def test_who_lets_nobody_in_is_there() -> None:
    seen = look()
    barred = [one._replace(error="no key", barred=True) if one.role == "metadata" else one
              for one in seen.sightings]
    seen = seen._replace(sightings=tuple(barred))
    assert findings(seen)[0].severity == GOOD
    states = {row["role"]: row["state"] for row in overview(seen)["daemons"]}
    assert states == {"zookeeper": "up", "metadata": "barred", "name_node": "leads",
                      "data_node": "up"}


def test_of_two_that_lead_the_later_one_does() -> None:
    seen = look(addresses=TWO)
    other = Sighting("name_node", "localhost:1810", status=having(epoch=8))
    sightings = [other if one.address == other.address else one for one in seen.sightings]
    assert seen._replace(sightings=tuple(sightings)).leader == other


def test_the_overview_has_the_shape_that_is_described() -> None:
    told = overview(look(families={NAME_NODE: counters(pyhdfs_files=3, pyhdfs_directories=2)}))
    assert json.loads(json.dumps(told)) == told
    assert told["capacity"] == {"total": 1000, "used": 200, "other": 100, "remaining": 700}
    assert told["namespace"] == {"files": 3, "directories": 2, "blocks": 5, "open_files": None}
    assert told["datanodes"] == {
        "live": 3, "stale": 0, "dead": 0, "absent": 0, "failed_directories": 0}
    assert (told["version"], told["uptime_seconds"], told["epoch"]) == ("0.1.0", 910.0, 7)
    assert told["safe_mode"] == {"on": False, "reason": ""} and told["answers"]
    without = overview(look(down=(NAME_NODE,)))
    assert set(without) == set(told) and not without["answers"]
    assert all(without[name] is None for name in ("capacity", "blocks", "datanodes", "version"))
    assert without["daemons"][2]["error"] == "cannot reach localhost:1800"


def test_a_row_for_each_datanode() -> None:
    family = Family("pyhdfs_directory_capacity_bytes", "gauge", "", (
        Sample((("directory", "/b"),), (7.0,)), Sample((("directory", "/a"),), (5.0,))))
    state = Family("pyhdfs_directory_state", "gauge", "", (Sample((("directory", "/b"),), (2.0,)),))
    told = datanode_rows(look(
        nodes=(node(1802), node(1801, "dead")._replace(last_report_seconds=float("inf"))),
        families={"localhost:1801": (*counters(**{WRITTEN: 8.0, READ: 9.0}), family, state)},
        down=("localhost:1803",),
    ))  # fmt: skip
    assert json.loads(json.dumps(told)) == told
    rows = told["datanodes"]
    assert [(row["address"], row["state"]) for row in rows] == [
        ("localhost:1801", "dead"), ("localhost:1802", "live"), ("localhost:1803", "absent")]
    assert len({frozenset(row) for row in rows}) == 1, "all have the same fields"
    assert rows[0]["directories"] == [
        {"path": "/a", "state": "working", "capacity": 5, "remaining": 0, "blocks": 0},
        {"path": "/b", "state": "failed", "capacity": 7, "remaining": 0, "blocks": 0}]
    assert (rows[0]["bytes_written"], rows[0]["bytes_read"]) == (8, 9)
    assert rows[0]["last_report_seconds"] is None and rows[0]["last_contact_seconds"] == 0.4
    assert rows[1]["bytes_written"] is None and rows[2]["error"] != ""


def test_without_a_namenode_the_datanodes_of_the_configuration_are_shown() -> None:
    told = datanode_rows(look(down=(NAME_NODE, "localhost:1802")))
    assert not told["answers"]
    assert [row["state"] for row in told["datanodes"]] == ["live", "absent", "live"]


@pytest.mark.parametrize("before, after, restarted, grown", [
    (5, 9, False, 4), (5, 5, False, 0), (9, 5, False, 5), (5, 9, True, 9), (0, 0, True, 0),
])  # fmt: skip
def test_a_counter_that_begins_anew_never_shrinks(
    before: float, after: float, restarted: bool, grown: float
) -> None:
    assert increase(before, after, restarted) == grown


@pytest.mark.parametrize("counts, part, value", [
    ((0, 0, 0, 0), 0.5, None),
    ((4, 0, 0, 0), 0.5, 0.5),
    ((0, 4, 0, 0), 0.5, 1.5),
    ((0, 4, 0, 0), 1.0, 2.0),
    ((2, 2, 0, 0), 0.5, 1.0),
    ((98, 0, 2, 0), 0.99, 3.0),
    ((0, 0, 0, 3), 0.5, 4.0),
])  # fmt: skip
def test_quantiles_from_buckets(
    counts: Tuple[float, ...], part: float, value: object
) -> None:
    assert quantile((1.0, 2.0, 4.0), counts, part) == value


def test_rates_over_an_interval() -> None:
    first = look(10.0, families={
        "localhost:1801": counters(**{WRITTEN: 100.0, READ: 0.0}),
        "localhost:1802": counters(**{WRITTEN: 500.0, READ: 50.0}),
        NAME_NODE: calls({"stat": (0.001,) * 10, "heartbeat": (1.0,)}),
    }, down=("localhost:1803",))  # fmt: skip
    last = look(20.0, families={
        "localhost:1801": counters(**{WRITTEN: 300.0, READ: 10.0}),
        "localhost:1802": counters(200.0, **{WRITTEN: 40.0, READ: 60.0}),
        "localhost:1803": counters(**{WRITTEN: 9e9, READ: 9e9}),
        NAME_NODE: calls({"stat": (0.001,) * 30, "complete": (20.0,) * 10, "heartbeat": (1.0,)}),
    })  # fmt: skip
    point = point_of(first, last)
    assert (point.bytes_in, point.bytes_out) == (24.0, 7.0), "one restarted, one is new"
    assert point.operations == 3.0, "of clients only"
    assert point.p50_ms is not None and 0.5 < point.p50_ms <= 1.0, "what waits is left out"
    assert (point.used, point.capacity, point.live) == (200, 1000, 3)
    restarted = point_of(last, look(30.0, families={
        **{place: counters(300.0, **{WRITTEN: 0.0, READ: 0.0}) for place in ADDRESSES["data_node"]},
        NAME_NODE: calls({"stat": (0.001,)}, 300.0)}))  # fmt: skip
    assert (restarted.bytes_in, restarted.bytes_out, restarted.operations) == (0.0, 0.0, 0.1)


def test_what_is_not_known_is_null() -> None:
    nothing = point_of(look(10.0, down=(NAME_NODE, *ADDRESSES["data_node"])),
                       look(20.0, down=(NAME_NODE, *ADDRESSES["data_node"])))
    assert nothing == (1020000, *[None] * 8)
    idle = point_of(look(10.0), look(20.0))
    assert (idle.bytes_in, idle.operations, idle.p50_ms, idle.p99_ms) == (0.0, 0.0, None, None)


def test_an_hour_is_kept() -> None:
    history = History()
    shape: Dict[str, Any] = history.record()
    assert shape.pop("interval_seconds") == 10.0 and all(column == [] for column in shape.values())
    for number in range(POINTS_MAX + 5):
        history.add(look(10.0 * number))
    history.add(look(0.0))
    told = history.record()
    assert set(shape) == set(told) - {"interval_seconds"}
    assert {len(told[name]) for name in shape} == {POINTS_MAX}
    assert told["times_ms"][-1] == 1000 * (1000 + 10 * (POINTS_MAX + 4))
    assert told["times_ms"] == sorted(told["times_ms"])
    assert json.loads(json.dumps(told)) == told


def test_a_process_tells_its_release() -> None:
    one = Sighting("metadata", METADATA, families=process(5.0))
    assert (one.version, one.started, one.up) == ("0.1.0", 5.0, True)
    assert Sighting("metadata", METADATA).version == ""
    assert len(SECONDS) == 17
