"""What a gateway tells of a running cluster: to collectors, to load balancers, to the page."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any, Callable, Iterator, List
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from data_service.web.figures.asker import Asker, daemons_of
from data_service.web.figures.sightings import Sighting
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.scraped import Samples, of, parsed
from zookeeper.fabric.figures import value_in
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import GATEWAY, Principal
from zookeeper.fabric.settings import load

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all."""
    folder = tmp_path_factory.mktemp("figures")
    with Cluster(folder, data_nodes=2, gateways=1, security="simple") as made:
        yield made


def fetched(cluster: Cluster, path: str, **headers: str) -> bytes:
    """What the gateway answers. Raises HTTPError."""
    place = "{}:{}".format(*cluster.address("gateway_0"))
    asked = Request(f"http://{place}{path}", headers=headers)
    with urlopen(asked, timeout=PATIENCE_SECONDS) as answer:
        data: bytes = answer.read()
    return data


def status(cluster: Cluster, path: str, **headers: str) -> int:
    """The status of the gateway's answer."""
    try:
        fetched(cluster, path, **headers)
    except HTTPError as error:
        with error:
            return error.code
    return 200


def scraped(cluster: Cluster) -> Samples:
    """Its metrics."""
    return parsed(fetched(cluster, "/metrics"))


def scraped_when(
    cluster: Cluster, holds: Callable[[Samples], bool] = lambda samples: True
) -> Samples:
    """Its metrics as soon as that holds, and everybody answers: on a machine that is busy with
    something else anybody may be late."""
    found: List[Samples] = []

    def is_so() -> bool:
        found.append(scraped(cluster))
        return of(found[-1], "pyhdfs_up") == [1.0] * 6 and holds(found[-1])

    wait_until(is_so)
    return found[-1]


def overview(cluster: Cluster) -> Any:
    """What the page shows first."""
    return json.loads(fetched(cluster, "/cluster/overview"))


def row_of(cluster: Cluster, place: str) -> Any:
    """What the page shows of a datanode."""
    rows = json.loads(fetched(cluster, "/cluster/datanodes"))["datanodes"]
    (row,) = [row for row in rows if row["address"] == place]
    return row


def test_what_happens_is_counted(cluster: Cluster) -> None:
    before = scraped_when(cluster, lambda samples: of(samples, "pyhdfs_sessions") == [3] and
                          of(samples, "pyhdfs_datanodes", state="live") == [2])
    assert of(before, "pyhdfs_files") == [0] and of(before, "pyhdfs_leads") == [1]
    wait_until(lambda: status(cluster, "/health") == 200)
    assert fetched(cluster, "/health") == b"ok\n"
    assert cluster.client("put", "-", "/figures/f", stdin=bytes(2 << 20)).status == 0
    after = scraped_when(cluster, lambda samples: not unmoved(before, samples) and
                         of(samples, "pyhdfs_block_bytes_written_total") == [2 << 20] * 2)
    assert of(after, "pyhdfs_files") == [1] and of(after, "pyhdfs_blocks") == [2]


def unmoved(before: Samples, after: Samples) -> List[str]:
    """Which counters do not show yet that a file was put. Daemons are asked side by side: one may
    have answered before, and another after."""
    return [
        name
        for name, labels in (
            ("pyhdfs_call_seconds_count", {"role": "name_node", "call": "complete"}),
            ("pyhdfs_append_seconds_count", {"role": "name_node"}),
            ("pyhdfs_commit_seconds_count", {"role": "metadata"}),
            ("pyhdfs_last_txid", {"role": "metadata"}),
            ("pyhdfs_files", {}),
            ("pyhdfs_block_sync_seconds_count", {}),
            ("pyhdfs_call_seconds_count", {"role": "gateway", "call": "GET /metrics"}),
        )
        if sum(of(after, name, **labels)) <= sum(of(before, name, **labels))
    ]


def test_what_knows_hdfs_finds_its_beans(cluster: Cluster) -> None:
    name = "Hadoop:service=NameNode,name=NameNodeInfo"
    nodes = sorted("{}:{}".format(*cluster.address(role)) for role in cluster.data_nodes)

    def live() -> List[str]:
        found = json.loads(fetched(cluster, f"/jmx?qry={name}"))["beans"]
        return [node for bean in found for node in sorted(json.loads(bean["LiveNodes"]))]

    wait_until(lambda: live() == nodes, what="all datanodes among the live ones")
    told = json.loads(fetched(cluster, f"/jmx?get={name}::ClusterId"))["beans"]
    assert told[0]["ClusterId"] == overview(cluster)["cluster_id"]


def test_a_daemon_that_hangs_hides_nobody(cluster: Cluster) -> None:
    place = "{}:{}".format(*cluster.address("data_node_1"))
    cluster.pause("data_node_1")
    try:
        def others_are_told() -> bool:
            samples = scraped(cluster)
            here = of(samples, "pyhdfs_up", daemon=place)
            return here == [0] and sum(of(samples, "pyhdfs_up")) == 5

        wait_until(others_are_told)
        wait_until(lambda: place in overview(cluster)["health"]["sentence"])
        wait_until(lambda: row_of(cluster, place)["state"] in ("stale", "dead"))
        assert row_of(cluster, place)["error"] != ""
    finally:
        cluster.resume("data_node_1")
    wait_until(lambda: overview(cluster)["health"]["severity"] == "good")
    wait_until(lambda: of(scraped(cluster), "pyhdfs_up", daemon=place) == [1])


def test_an_hour_begins(cluster: Cluster) -> None:
    def history() -> Any:
        return json.loads(fetched(cluster, "/cluster/history"))

    # Of an interval in which somebody was late, not all is known.
    wait_until(lambda: any(history()["operations"]) and any(history()["capacity"]))
    told = history()
    assert {len(column) for column in told.values() if isinstance(column, list)} == {
        len(told["times_ms"])}
    assert all(value is None or value >= 0 for value in told["bytes_in"] + told["operations"])


def test_the_log_is_for_administrators(cluster: Cluster) -> None:
    user = cluster.file_system().user
    lines = json.loads(fetched(cluster, f"/cluster/log?user.name={user}"))["lines"]
    assert any("daemon.ready" in line["text"] for line in lines)


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in which everybody proves who he is."""
    folder = tmp_path_factory.mktemp("secret")
    with Cluster(folder, data_nodes=1, gateways=1, security="secret") as made:
        yield made


def test_where_names_are_proved_only_health_is_told_to_everybody(secret: Cluster) -> None:
    wait_until(lambda: status(secret, "/health") == 200)
    for path in ("/metrics", "/jmx", "/cluster/overview", "/cluster/datanodes", "/cluster/log"):
        assert status(secret, path) == 401, path
    word = secret.client("issueKey", "--web", "alice").out.decode().strip()
    proof = "Basic " + b64encode(f"alice:{word}".encode()).decode()

    def is_told() -> bool:
        samples = parsed(fetched(secret, "/metrics", Authorization=proof))
        told = json.loads(fetched(secret, "/cluster/overview", Authorization=proof))
        live = told["answers"] and told["datanodes"]["live"] == 1
        return live and of(samples, "pyhdfs_datanodes", state="live") == [1]

    wait_until(is_told)
    assert status(secret, "/cluster/log", Authorization=proof) == 403


def test_a_gateways_own_key_opens_the_figures_of_all(secret: Cluster, tmp_path: Path) -> None:
    key, config = tmp_path / "gateway.key", tmp_path / "config.ini"
    assert secret.client("issueKey", "--gateway", "web", "-o", str(key)).status == 0
    text = secret.config.read_text("utf-8")
    config.write_text(text.replace(str(secret.folder / "cluster.key"), str(key)), "utf-8")
    settings = load(str(config))
    asker = Asker(settings, credentials_of(settings, Principal(GATEWAY), assumed=True))
    try:
        # Each has little time, and a machine that is busy with something else takes longer.
        seen: List[Sighting] = []

        def all_answer() -> bool:
            seen[:] = [asker(role, address) for role, address in daemons_of(settings)]
            return all(one.up for one in seen)

        wait_until(all_answer)
    finally:
        asker.close()
    assert [(one.role, one.error) for one in seen] == [
        (role, "") for role, _ in daemons_of(settings)]
    for one in seen:
        assert value_in(one.families, "process_threads") > 0
    leader = next(one for one in seen if one.status is not None)
    assert [node.host for node in leader.nodes] == ["127.0.0.1"], "it is told the names"


def test_who_is_new_while_no_namenode_leads_is_told_so_at_once(secret: Cluster) -> None:
    word = secret.client("issueKey", "--web", "carol").out.decode().strip()
    proof = "Basic " + b64encode(f"carol:{word}".encode()).decode()
    secret.kill("name_node")
    for path in ("/metrics", "/jmx", "/cluster/overview", "/who"):
        assert status(secret, path, Authorization=proof) == 503, path
    secret.start_daemon("name_node")
    wait_until(lambda: status(secret, "/who", Authorization=proof) == 200)
