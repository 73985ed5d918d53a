"""A cluster whose connections are TLS: everything works, and nobody else gets in between."""

from typing import Iterator

import pytest

from tests.support.clusters.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two datanodes and all others, each with its certificate."""
    with Cluster(tmp_path_factory.mktemp("tls") / "cluster", 2, security="tls") as made:
        yield made


def test_what_was_put_comes_back(cluster: Cluster) -> None:
    data = bytes(range(256)) * 12_000  # Three blocks.
    assert cluster.client("put", "-", "/a", stdin=data).status == 0
    assert cluster.client("cat", "/a").out == data
    assert "/a" in cluster.client("ls", "/").text
