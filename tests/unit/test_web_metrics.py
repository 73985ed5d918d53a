"""What collectors of metrics read: Prometheus's text, and HDFS's beans."""

import json
import re
from math import inf, nan
from typing import Any, Dict

import pytest

from data_service.web.border import Border
from data_service.web.exchange.answers import Answer
from data_service.web.exchange.remote_exceptions import refused
from data_service.web.figures.bean_query import NAME_CHARACTERS_MAX, answered
from data_service.web.figures.exposition import exposition
from data_service.web.figures.metrics_door import MetricsDoor
from data_service.web.figures.sightings import Look, Sighting
from data_service.web.front import Front
from tests.support.models.scraped import of, parsed
from tests.support.models.seen_cluster import (
    NODES,
    STATUS,
    calls,
    counters,
    look,
    node,
)
from tests.support.models.web_asker import asked
from zookeeper.fabric.figures import Family, Sample, gauge

def only(*families: Family) -> Look:
    """One daemon that tells these."""
    return Look(1.0, 1.0, (Sighting("metadata", "here:1", families=families),))


def test_every_daemon_is_told_apart_and_is_up_or_not() -> None:
    samples = parsed(exposition(look(down=("localhost:1802",))))
    assert of(samples, "pyhdfs_up", role="data_node") == [1, 0, 1]
    assert of(samples, "pyhdfs_up", daemon="localhost:1802") == [0]
    assert of(samples, "process_start_time_seconds", daemon="localhost:1801") == [100]
    assert of(samples, "process_start_time_seconds", daemon="localhost:1802") == []
    assert of(samples, "pyhdfs_info", version="0.1.0", role="name_node") == [1]


def test_as_many_things_are_wrong_as_the_page_says() -> None:
    assert of(parsed(exposition(look())), "pyhdfs_findings") == [0, 0]
    samples = parsed(exposition(look(down=("localhost:18005",))))
    assert of(samples, "pyhdfs_findings", severity="critical") == [1]


def test_what_the_namenode_knows_of_datanodes_is_told_of_those_that_are_down() -> None:
    samples = parsed(exposition(look(
        nodes=(node(1801), node(1802, "dead")), down=("localhost:1802",))))
    assert of(samples, "pyhdfs_datanode_liveness", datanode="localhost:1802") == [0]
    assert of(samples, "pyhdfs_datanode_liveness", datanode="localhost:1801") == [2]
    assert of(samples, "pyhdfs_datanode_last_contact_seconds") == [0.4, 0.4]


def test_buckets_add_up() -> None:
    samples = parsed(exposition(look(families={
        "localhost:1800": calls({"stat": (0.0001, 0.002, 0.002, 99.0), "list": ()})})))
    counts = of(samples, "pyhdfs_call_seconds_bucket", call="stat")
    assert counts == sorted(counts) and len(counts) == 18
    assert of(samples, "pyhdfs_call_seconds_bucket", call="stat", le="0.0001") == [1]
    assert of(samples, "pyhdfs_call_seconds_bucket", call="stat", le="0.0025") == [3]
    assert of(samples, "pyhdfs_call_seconds_bucket", call="stat", le="30") == [3]
    assert of(samples, "pyhdfs_call_seconds_bucket", call="stat", le="+Inf") == [4]
    assert of(samples, "pyhdfs_call_seconds_count", call="stat") == [4]
    assert of(samples, "pyhdfs_call_seconds_sum", call="stat") == [pytest.approx(99.0041)]
    assert of(samples, "pyhdfs_call_seconds_count", call="list") == [0]


@pytest.mark.parametrize("value", [
    'a"b', "a\\b", "a\nb", 'x"} 1\nevil 2', "\\", "ü – 名", "", "a,b=c", "{}", "\r\t\0",
])  # fmt: skip
def test_a_label_cannot_break_out(value: str) -> None:
    family = Family("pyhdfs_x", "gauge", f"About {value}.", (Sample((("path", value),), (1.0,)),))
    samples = parsed(exposition(only(family)))
    (key,) = [tags for name, tags in samples if name == "pyhdfs_x"]
    told = dict(key)["path"]
    assert re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), told) == value
    assert of(samples, "evil") == []


@pytest.mark.parametrize("family", [
    Family("bad name", "gauge", "X.", (Sample((), (1.0,)),)),
    Family("x\ny", "gauge", "X.", (Sample((), (1.0,)),)),
    Family("", "gauge", "X.", (Sample((), (1.0,)),)),
    Family("x", "untold", "X.", (Sample((), (1.0,)),)),
    Family("x", "gauge", "X.", (Sample((), ()),)),
    Family("x", "histogram", "X.", (Sample((), (1.0,)),), (1.0, 2.0)),
    Family("x", "gauge", "X.", ()),
])  # fmt: skip
def test_what_makes_no_sense_is_left_out(family: Family) -> None:
    samples = parsed(exposition(only(family)))
    assert {name for name, _ in samples} == {
        "pyhdfs_up", "pyhdfs_answer_seconds", "pyhdfs_findings"}


def test_a_label_whose_name_is_none_is_left_out() -> None:
    family = Family("x", "gauge", "X.", (Sample((('a"b', "1"), ("good", "2")), (1.0,)),))
    assert of(parsed(exposition(only(family))), "x", good="2") == [1]


def test_of_two_meanings_of_a_name_the_first_holds() -> None:
    first = Sighting("zookeeper", "a:1", families=(gauge("x", "X.", 1),))
    other = Sighting("metadata", "b:1", families=(
        Family("x", "counter", "Else.", (Sample((), (2.0,)),)),))
    assert of(parsed(exposition(Look(1.0, 1.0, (first, other)))), "x") == [1]


@pytest.mark.parametrize("value, text", [
    (1.0, "1"), (0.25, "0.25"), (1e18, "1000000000000000000"), (inf, "+Inf"), (-inf, "-Inf"),
    (nan, "NaN"), (-3.0, "-3"), (1e-7, "1e-07"),
])  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert f" {text}\n".encode() in exposition(only(gauge("x", "X.", value)))


# Beans.

SEEN = look(
    status=STATUS._replace(missing=1, corrupt=2, under_replicated=3, corrupt_replicas=4),
    nodes=(*NODES[:2], node(1803, "dead")),
    families={
        "localhost:1800": (
            *calls({"create": (0.5, 1.5), "stat": (0.1,)}),
            gauge("pyhdfs_files", "", 7),
            gauge("pyhdfs_directories", "", 3),
            gauge("pyhdfs_last_txid", "", 212),
        ),
        "localhost:1801": counters(
            pyhdfs_block_bytes_written_total=11, pyhdfs_blocks_written_total=2
        ),
    },
)  # fmt: skip


class Visiting:
    """Visitors who have to prove who they are: one who says nothing cannot."""

    def client(self, request: Any, held: Any) -> None:
        """Whoever it is has proved it."""
        if not request.parameters.text("user.name"):
            raise refused("who are you?", 401)


def front_of(seen: Look, public: bool = False, secured: bool = False) -> Front:
    """The door, to a cluster that looks like this."""

    class Watching:
        """Sees it."""

        def look(self) -> Look:
            """It."""
            return seen

    watcher: Any = Watching()
    visitors: Any = Visiting()
    door = MetricsDoor(visitors, watcher, public, secured)
    return Front({"metrics": door, "jmx": door}, Border(["web"]))


def jmx(question: str = "", seen: Look = SEEN) -> Any:
    """The JSON that answers it."""
    answer = asked(front_of(seen), "GET", f"/jmx?user.name=me&{question}")
    assert answer.content_type == "application/json; charset=utf8"
    return json.loads(answer.body)


def bean(name: str) -> Dict[str, Any]:
    """The one bean of this name."""
    (found,) = jmx(f"qry=Hadoop:{name}")["beans"]
    assert isinstance(found["modelerType"], str)
    return dict(found)


def test_the_namenodes_bean() -> None:
    info = bean("service=NameNode,name=NameNodeInfo")
    assert (info["Total"], info["Used"], info["Free"], info["NonDfsUsedSpace"]) == (
        1000, 200, 700, 100)
    assert (info["PercentUsed"], info["Safemode"], info["TotalBlocks"]) == (20.0, "", 5)
    assert info["NumberOfMissingBlocks"] == 3 and info["ClusterId"] == "c"
    assert info["NNStartedTimeInMillis"] == 100_000
    live, dead = json.loads(info["LiveNodes"]), json.loads(info["DeadNodes"])
    assert list(live) == ["localhost:1801", "localhost:1802"] and list(dead) == ["localhost:1803"]
    assert live["localhost:1801"]["lastBlockReport"] == 1
    assert live["localhost:1801"]["capacity"] == 300
    assert dead["localhost:1803"]["decommissioned"] is False
    assert json.loads(info["NodeUsage"])["nodeUsage"]["median"] == "20.00%"
    assert json.loads(info["JournalTransactionInfo"])["LastAppliedOrWrittenTxId"] == "212"
    for name in ("DecomNodes", "EnteringMaintenanceNodes", "NameDirStatuses", "NameJournalStatus"):
        json.loads(info[name])


def test_the_beans_of_the_namesystem() -> None:
    system = bean("service=NameNode,name=FSNamesystem")
    assert (system["tag.HAState"], system["FilesTotal"], system["BlocksTotal"]) == ("active", 10, 5)
    assert (system["UnderReplicatedBlocks"], system["MissingBlocks"], system["CorruptBlocks"]) == (
        3, 3, 4)
    state = bean("service=NameNode,name=FSNamesystemState")
    assert (state["NumLiveDataNodes"], state["NumDeadDataNodes"]) == (2, 1)
    assert (state["FSState"], state["CapacityTotal"]) == ("Operational", 1000)
    status = bean("service=NameNode,name=NameNodeStatus")
    assert (status["State"], status["HostAndPort"]) == ("active", "localhost:1800")


def test_the_beans_of_calls_and_of_the_process() -> None:
    activity = bean("service=NameNode,name=NameNodeActivity")
    assert (activity["CreateFileOps"], activity["FileInfoOps"]) == (2, 1)
    rpc = bean("service=NameNode,name=RpcActivityForPort1800")
    assert (rpc["tag.port"], rpc["RpcProcessingTimeNumOps"]) == ("1800", 3)
    assert rpc["RpcProcessingTimeAvgTime"] == pytest.approx(700.0)
    detail = bean("service=NameNode,name=RpcDetailedActivityForPort1800")
    assert (detail["CreateNumOps"], detail["CreateAvgTime"]) == (2, pytest.approx(1000.0))
    (memory,) = jmx("qry=java.lang:type=Memory")["beans"]
    assert set(memory["HeapMemoryUsage"]) == {"used", "committed", "max", "init"}


def test_the_beans_of_datanodes() -> None:
    activity = bean("service=DataNode,name=DataNodeActivity-localhost-1801")
    assert (activity["BytesWritten"], activity["BlocksWritten"]) == (11, 2)
    dataset = bean("service=DataNode,name=FSDatasetState-id-1801")
    assert (dataset["Capacity"], dataset["Remaining"]) == (300, 210)
    info = bean("service=DataNode,name=DataNodeInfo-localhost-1801")
    assert info["RpcPort"] == "1801" and json.loads(info["NamenodeAddresses"])


@pytest.mark.parametrize("question, count", [
    ("", 26), ("qry=*:*", 26), ("qry=Hadoop:*", 22), ("qry=Hadoop:service=NameNode,*", 13),
    ("qry=Hadoop:service=NameNode,name=FSNamesystem*", 2),
    ("qry=Hadoop:name=FSNamesystem,service=NameNode", 1), ("qry=Hadoop:service=NameNode", 0),
    ("qry=Hadoop:service=DataNode,name=DataNodeInfo-*", 3), ("qry=java.lang:*", 4),
    ("qry=Hadoop:service=NameNode,name=Nothing", 0), ("qry=J?va.lang:*", 0), ("qry=j?va.lang:*", 4),
    ("qry=*:type=Memory", 1), ("qry=hadoop:*", 0),
])  # fmt: skip
def test_beans_are_found_by_patterns_of_their_names(question: str, count: int) -> None:
    assert len(jmx(question)["beans"]) == count


@pytest.mark.parametrize("question", ["nonsense", "Hadoop:", "Hadoop:service", "a:b=c,b=d",
                                      "Hadoop:=x", "Hadoop:x="])
def test_a_question_that_is_none(question: str) -> None:
    assert jmx(f"qry={question}") == {}


def test_a_pattern_of_many_stars_is_answered_soon() -> None:
    assert jmx("qry=Hadoop:name=" + "*a" * 450 + ",*")["beans"] == []


def test_a_pattern_that_is_longer_than_any_name_is_compared_with_none() -> None:
    """Sixty thousand stars had all who asked wait for seconds."""
    stars = "*" * (NAME_CHARACTERS_MAX - len(":*"))
    assert len(jmx(f"qry={stars}:*")["beans"]) == 26
    assert jmx(f"qry={stars}*:*") == {}


def test_one_attribute() -> None:
    name = "Hadoop:service=NameNode,name=NameNodeStatus"
    modeler = "org.apache.hadoop.hdfs.server.namenode.NameNode"
    assert jmx(f"get={name}::State") == {
        "beans": [{"name": name, "modelerType": modeler, "State": "active"}]}
    assert jmx(f"get={name}::Nope") == {"beans": [{
        "name": name, "modelerType": modeler, "result": "ERROR",
        "message": "No attribute with name Nope was found."}]}
    assert jmx("get=Hadoop:service=NameNode,name=None::State") == {"beans": []}
    assert jmx(f"get={name}") == {
        "result": "ERROR", "message": "query format is not as expected."}
    assert [answered([], "", wanted).status for wanted in ("x", "x::y")] == [400, 200]


def test_without_a_namenode_there_are_none_of_its_beans() -> None:
    names = [row["name"] for row in jmx("", look(down=("localhost:1800",)))["beans"]]
    assert names and all(name.startswith("Hadoop:service=DataNode,") for name in names)


@pytest.mark.parametrize("public, target, status", [
    (False, "/metrics", 401), (False, "/metrics?user.name=me", 200), (True, "/metrics", 200),
    (False, "/jmx", 401), (False, "/jmx?user.name=me", 200), (True, "/jmx", 200),
    (True, "/metrics/x", 404), (True, "/jmx/", 404),
])  # fmt: skip
def test_who_may_read_them(public: bool, target: str, status: int) -> None:
    answer: Answer = asked(front_of(SEEN, public), "GET", target)
    assert answer.status == status
    assert asked(front_of(SEEN, public), "POST", target).status == 405


def test_prometheus_is_told_the_format() -> None:
    answer = asked(front_of(SEEN, public=True), "GET", "/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert parsed(answer.body)
