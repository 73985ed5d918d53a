"""Real datanodes and a PlainNameNode in this process: for tests of the datanode and the client.

There is no zookeeper; a datanode does not need one to serve.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from data_service.datanode.daemon import DataNode
from data_service.filesystem import FileSystem
from data_service.protocol.blocks import Block
from tests.support.models.plain_namenode import KnownNode, PlainNameNode
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import (
    Address,
    ClientSettings,
    DataNodeSettings,
    NameNodeSettings,
    NetworkSettings,
    Settings,
    ZooKeeperSettings,
)

DATA_NODE = Credentials(Principal("data_node"))
USER = Credentials(Principal("user", "me"))


class InnerCluster:
    """`count` datanodes, each with `volumes` directories; use it in a `with`.

    `limits` replace fields of NetworkSettings, `own` those of DataNodeSettings, `client` those of
    ClientSettings.
    """

    def __init__(self, folder: Path, count: int = 1, volumes: int = 1, *,
                 own: Optional[Dict[str, Any]] = None,
                 client: Optional[Dict[str, Any]] = None, **limits: Any) -> None:
        self._ports = Ports()
        self.namenode = PlainNameNode()
        hosts = tuple(Address(self._ports.host, self._ports.take()) for _ in range(count))
        directories = {
            address.port: tuple(str(folder / f"node_{number}_{disk}") for disk in range(volumes))
            for number, address in enumerate(hosts)}
        nowhere = Address(self._ports.host, self._ports.take())
        limits = {"handshake_timeout_seconds": 5.0, "call_timeout_seconds": 20.0, **limits}
        own = {"heartbeat_seconds": 0.2, "reserved_bytes": 0, **(own or {})}
        self.settings = Settings(
            name_node=NameNodeSettings(hosts=(self.namenode.address,)),
            data_node=DataNodeSettings(hosts=hosts, directories=directories, **own),
            zookeeper=ZooKeeperSettings(hosts=(nowhere,)),
            client=ClientSettings(connect_seconds=3.0, retry_seconds=20.0, **(client or {})),
            network=dataclasses.replace(NetworkSettings(), **limits),
        )
        self.data_nodes: List[DataNode] = [self._new(number) for number in range(count)]

    def __enter__(self) -> "InnerCluster":
        self.namenode.__enter__()
        for data_node in self.data_nodes:
            data_node.start()
        self.namenode.order = [self.node_id(number) for number in range(len(self.data_nodes))]
        return self

    def __exit__(self, *_exception: object) -> None:
        for data_node in self.data_nodes:
            data_node.stop()
        self.namenode.__exit__()
        self._ports.close()

    def _new(self, number: int) -> DataNode:
        return DataNode(self.settings, number)

    def restart(self, number: int) -> None:
        """Stop a datanode and start it anew on the same directories."""
        self.data_nodes[number].stop()
        self.data_nodes[number] = self._new(number)
        self.data_nodes[number].start()

    def node_id(self, number: int) -> str:
        """The identity of a datanode."""
        return self.data_nodes[number].store.volumes.node_id

    def known(self, number: int) -> KnownNode:
        """What the namenode knows of a datanode."""
        return self.namenode.nodes[self.node_id(number)]

    def file_system(self) -> FileSystem:
        """A client, for `with`."""
        return FileSystem(self.settings, user="me")

    def blocks(self, path: str) -> List[Block]:
        """The blocks of a file."""
        return list(self.namenode.files[path].blocks.values())

    def path(self, number: int, block: Block) -> str:
        """Where a datanode has a replica's data."""
        address = self.data_nodes[number].address
        for root in self.settings.data_node.directories_of(address):
            for folder, _, files in os.walk(os.path.join(root, "finalized")):
                if block.name in files:
                    return os.path.join(folder, block.name)
        raise AssertionError(f"datanode {number} has no {block.name}")

    def left(self) -> Tuple[str, ...]:
        """Unfinished files below `tmp` of all datanodes."""
        roots = [root for paths in self.settings.data_node.directories.values() for root in paths]
        return tuple(name for root in roots for name in os.listdir(os.path.join(root, "tmp")))

    def wait_clean(self) -> None:
        """Wait until no datanode has an unfinished file."""
        wait_until(lambda: not self.left(), what=f"the end of {self.left()}")
