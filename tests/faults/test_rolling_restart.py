"""Datanodes that are restarted one by one interrupt nobody who reads or writes."""

import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import noise

BLOCK = 1 << 20
CONTENT = noise(3 * BLOCK + 777, 3)


@pytest.fixture(scope="module", name="nodes")
def _nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("rolling")
    settings = {"replication_factor": 2, "block_size": "1M"}
    with Cluster(folder, data_nodes=2, name_node=settings) as cluster:
        yield cluster


def repeat(deed: Callable[[], None], ending: threading.Event, problems: List[str]) -> None:
    """Do something until the end, at least once; what it raises is noted."""
    try:
        while True:
            deed()
            if ending.is_set():
                return
    except BaseException as error:
        problems.append(f"{deed.__name__}: {error!r}")
        raise


def test_readers_and_writers_go_on(nodes: Cluster) -> None:
    with nodes.file_system() as fs:
        for path, replication in (("/two", 2), ("/one", 1)):
            with fs.open(path, "wb", replication=replication) as file:
                file.write(CONTENT)
        long_reader, long_writer = fs.open("/two"), fs.open("/long", "wb")
        written: List[bytes] = []

        def read_all() -> None:
            for path in ("/two", "/one"):
                assert fs.open(path).read() == CONTENT

        def write_one() -> None:
            with fs.open("/new", "wb") as file:
                file.write(CONTENT)

        def go_on() -> None:
            part: Any = noise(BLOCK // 2, len(written))
            long_writer.write(part)
            written.append(part)
            long_reader.seek(len(written) * 99_991 % len(CONTENT))
            assert long_reader.read(10) == CONTENT[long_reader.tell() - 10 :][:10]

        ending, problems = threading.Event(), []  # type: ignore[var-annotated]
        threads = [threading.Thread(target=repeat, args=(deed, ending, problems))
                   for deed in (read_all, write_one, go_on)]
        for thread in threads:
            thread.start()
        for role in ("data_node_0", "data_node_1"):
            nodes.restart(role)
            nodes.wait_live(2)
        ending.set()
        for thread in threads:
            thread.join()
        long_writer.close()
        assert problems == []
        assert fs.open("/long").read() == b"".join(written)


def test_a_reader_may_pause_as_often_as_it_likes(tmp_path: Path) -> None:
    """A pager, or slow work on each piece: the datanode gives the transfer up meanwhile."""
    content = noise(24 << 20, 5)
    network = {"stall_timeout_seconds": 0.5}
    with Cluster(tmp_path, data_nodes=1, name_node={"replication_factor": 1}, network=network) as c:
        with c.file_system() as fs:
            with fs.open("/big", "wb") as file:
                file.write(content)
            pieces, pausing = [], threading.Event()
            with fs.open("/big") as file:
                for _ in range(6):
                    pieces.append(file.read(4 << 20))
                    pausing.wait(1.5)
            assert b"".join(pieces) == content
