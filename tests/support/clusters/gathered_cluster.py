"""A whole cluster in this process: every daemon as its program builds it, all on threads.

It speaks over real connections, and a test can look into it and trace it. Nobody in it can be
killed: that takes processes, see `cluster.py`.
"""

import threading
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from data_service.datanode.daemon import DataNode
from data_service.filesystem import FileSystem
from data_service.namenode.daemon import NameNode
from metadata_service.service import Metadata
from tests.support.clusters import configuration
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.daemon import Daemon
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import Settings, load
from zookeeper.service import ZooKeeper


class GatheredCluster:
    """Use it in a `with`; `overrides` are sections of config.ini, as of `Cluster`."""

    def __init__(
        self, folder: Path, data_nodes: int = 3, **overrides: Mapping[str, object]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "config.ini"
        self._ports = Ports()
        self._count = data_nodes
        roles = ["zookeeper", "metadata", "name_node"]
        roles += [f"data_node_{number}" for number in range(data_nodes)]
        addresses = {role: f"{self._ports.host}:{self._ports.take()}" for role in roles}
        sections = configuration.sections_for(folder, addresses, {}, overrides)
        configuration.write(self.config, sections)
        self._daemons: List[Daemon] = []

    def __enter__(self) -> "GatheredCluster":
        try:
            self._daemons += _built(load(str(self.config)), self._count)
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop()

    def file_system(self, user: Optional[str] = None) -> FileSystem:
        """A client, for `with`; as the superuser, or another user."""
        return FileSystem(str(self.config), user)

    def _start(self) -> None:
        """Each waits for those that it needs, so all of them start at once."""
        failures: Dict[str, BaseException] = {}

        def start(daemon: Daemon) -> None:
            try:
                daemon.start()
            except BaseException as error:
                failures[type(daemon).__name__] = error
                raise

        threads = [threading.Thread(target=start, args=(daemon,)) for daemon in self._daemons]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert not failures, failures
        with self.file_system() as fs:
            wait_until(
                lambda: len(fs.datanodes()) == self._count and not fs.safe_mode("get"),
                what="the end of safe mode",
            )

    def _stop(self) -> None:
        for daemon in reversed(self._daemons):  # Who needs another one goes before it.
            daemon.stop()
        self._ports.close()


def _built(settings: Settings, data_nodes: int) -> List[Daemon]:
    def own(role: str) -> Credentials:
        return credentials_of(settings, Principal(role))

    return [
        ZooKeeper(settings, own("zookeeper")),
        Metadata(settings, own("metadata")),
        NameNode(settings, own("name_node")),
        *(DataNode(settings, number) for number in range(data_nodes)),
    ]
