"""What dies while a file goes up or down by HTTP: the bytes are right, or the request fails."""

import re
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import IO, Callable, Iterator, List, Tuple

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.curl import Curl
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.disks.replicas import noise

pytestmark = pytest.mark.skipif(which("curl") is None, reason="there is no curl")

PIECE = noise(6 << 20, 1)
CONTENT = 4 * PIECE
"""Of 24 blocks, where as many bytes as anybody sends would be of more; and more than the buffers of
all sockets between curl and the disks can hold."""

Deed = Callable[[], None]


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all: each test leaves it as it was, but for who leads."""
    with Cluster(
        tmp_path_factory.mktemp("way"), data_nodes=3, name_nodes=2, gateways=2, security="simple",
        name_node={"replication_factor": 2}, network={"stall_timeout_seconds": 60},
    ) as made:  # fmt: skip
        yield made


@pytest.fixture(name="curl")
def _curl(cluster: Cluster, tmp_path: Path) -> Curl:
    """curl to the first gateway."""
    return Curl(cluster, tmp_path)


@pytest.fixture(name="other")
def _other(cluster: Cluster, tmp_path: Path) -> Curl:
    """curl to the second one."""
    return Curl(cluster, tmp_path, "gateway_1")


@contextmanager
def gone(cluster: Cluster, role: str) -> Iterator[Deed]:
    """Gives what kills a daemon, which runs again in the end."""
    yield lambda: cluster.kill(role)
    cluster.start_daemon(role)
    cluster.wait_live(3)


def leader(cluster: Cluster) -> str:
    """The namenode whose term has the highest epoch."""
    epochs = {role: re.findall(r"term\.begun epoch=(\d+)", cluster.daemons[role].output())
              for role in cluster.name_nodes}
    return max(cluster.name_nodes, key=lambda role: max(map(int, epochs[role]), default=0))


def uploaded(curl: Curl, path: str, amid: Deed) -> bool:
    """Whether curl stored CONTENT, while something happened after a half of it was sent."""
    upload = curl.begin("-T", "-", path=path, op="CREATE&data=true")
    assert upload.stdin is not None
    try:
        upload.stdin.write(2 * PIECE)
        amid()
        upload.stdin.write(2 * PIECE)
        upload.stdin.close()
    except BrokenPipeError:
        pass  # curl gave up before it had read all.
    finally:
        status = _ended(upload)
    return status == 0 and curl.statuses.endswith("201")


def downloaded(curl: Curl, path: str, amid: Deed) -> Tuple[bool, bytes]:
    """Whether curl is content, and what it got, while something happened after a part of it."""
    download = curl.begin(path=path, op="OPEN&data=true")
    assert download.stdout is not None
    try:
        first = _read(download.stdout, len(PIECE))
        amid()
        rest = download.stdout.read()
    finally:
        status = _ended(download)
    return status == 0, first + rest


def _read(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    assert len(data) == count
    return data


def _ended(command: "subprocess.Popen[bytes]") -> int:
    try:
        return command.wait(2 * PATIENCE_SECONDS)
    finally:
        command.kill()
        for pipe in (command.stdin, command.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


@pytest.mark.parametrize("role", ["data_node_0", "leader"])
def test_who_dies_under_way_costs_no_request(
    cluster: Cluster, curl: Curl, other: Curl, role: str
) -> None:
    up, down = f"/{role}/up", f"/{role}/down"
    assert uploaded(curl, down, lambda: None)
    with gone(cluster, leader(cluster) if role == "leader" else role) as kill:
        done: List[bool] = []
        # What goes down by one gateway waits until the same has gone up by the other one.
        got = downloaded(other, down, lambda: done.append(uploaded(curl, up, kill)))
        assert (done, got) == ([True], (True, CONTENT))
        # Who leads now, a gateway finds by itself.
        for gateway in (curl, other):
            made = gateway("-X", "PUT", path=f"/{role}/went-on", op="MKDIRS")
            assert made.json == {"boolean": True}
            assert gateway("-L", path=up, op="OPEN").body == CONTENT


def test_a_gateway_that_dies_loses_what_is_under_way_and_nothing_else(
    cluster: Cluster, curl: Curl, other: Curl
) -> None:
    for path in ("/gateway/both", "/gateway/replaced"):
        assert uploaded(other, path, lambda: None)
    assert curl("-L", path="/gateway/both", op="OPEN").body == CONTENT
    with gone(cluster, "gateway_0") as kill:
        assert not uploaded(curl, "/gateway/up", kill)
        assert other(path="/gateway/up", op="GETFILESTATUS").statuses == "404"
    with gone(cluster, "gateway_0") as kill:
        content, got = downloaded(curl, "/gateway/both", kill)
        assert CONTENT.startswith(got) and content == (got == CONTENT)
        assert other("-L", path="/gateway/both", op="OPEN").body == CONTENT
    # It owned nothing: what it goes on with is what everybody knows.
    assert curl("-L", path="/gateway/replaced", op="OPEN").body == CONTENT
    assert uploaded(curl, "/gateway/up", lambda: None)


def test_all_datanodes_that_die_under_way_cut_the_download(cluster: Cluster, curl: Curl) -> None:
    assert uploaded(curl, "/lost", lambda: None)

    def kill_all() -> None:
        for role in cluster.data_nodes:
            cluster.kill(role)

    content, got = downloaded(curl, "/lost", kill_all)
    assert CONTENT.startswith(got) and content == (got == CONTENT)
    for role in cluster.data_nodes:
        cluster.start_daemon(role)
    cluster.wait_live(3)
    assert curl("-L", path="/lost", op="OPEN").body == CONTENT
