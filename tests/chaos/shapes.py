"""What clusters trials are made of: one of each that keeps the record, or several."""

from typing import Dict, Mapping, NamedTuple, Tuple

from tests.support.clusters.cluster import CLIENT, EVERYBODY, Link

_MEBI = 1 << 20


class Shape(NamedTuple):
    """How many processes there are, which links between them can be broken, and who has a disk of
    its own, of so many bytes, that can be full: where mounting is allowed.

    Everybody has a link of his own to each of `crossings`.
    """

    data_nodes: int
    members: int
    zookeepers: int
    links: Tuple[Link, ...]
    crossings: Tuple[str, ...]
    small_disks: Mapping[str, int]
    directories: Mapping[str, int] = {"data_node_3": 2}
    name_nodes: int = 2

    @property
    def breakable(self) -> Tuple[Link, ...]:
        """All links, those to crossings among them."""
        return self.links + tuple(
            (who, whom) for whom in self.crossings for who in self.diallers(whom)
        )

    def diallers(self, whom: str) -> Tuple[str, ...]:
        """Who has a way to one of the crossings."""
        name_nodes = ("name_node", "name_node_1")
        if whom in name_nodes:
            return (CLIENT, *(f"data_node_{index}" for index in range(self.data_nodes)))
        return (*name_nodes, *(one for one in MEMBERS if one != whom))


MEMBERS = ("metadata", "metadata_1", "metadata_2")

_DISKS: Dict[str, int] = {"data_node_2": 12 * _MEBI}

SINGLE = Shape(
    data_nodes=5, members=1, zookeepers=1,
    links=(
        ("client", "name_node"), ("name_node", "metadata"), ("name_node", "zookeeper"),
        ("data_node_1", "name_node"), ("data_node_2", "zookeeper"), (EVERYBODY, "data_node_0"),
        (EVERYBODY, "data_node_4"),
    ),
    crossings=(), small_disks={**_DISKS, "metadata": 64 * _MEBI},
)  # fmt: skip
"""One metadata service and one zookeeper, whose loss stops the service."""

SEVERAL = Shape(
    data_nodes=4, members=3, zookeepers=3,
    links=(
        ("name_node", "zookeeper"), ("name_node_1", "zookeeper_1"), ("data_node_2", "zookeeper_2"),
        (EVERYBODY, "data_node_0"), (EVERYBODY, "data_node_3"),
    ),
    crossings=("name_node", "name_node_1", *MEMBERS),
    small_disks={**_DISKS, "metadata_1": 64 * _MEBI},
)  # fmt: skip
"""No process and no disk whose loss stops the service; files may have four replicas."""
