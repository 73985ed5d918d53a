"""A zookeeper in this process, with coordinators around it, for tests of what they do together."""

import threading
from pathlib import Path
from typing import Any, Dict, List, Optional

from tests.support.clusters.ports import Ports
from tests.support.links.proxy import Proxy
from tests.support.clusters.waiting import wait_until
from zookeeper.coordinator import Coordinator
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import Address, Settings, ZooKeeperSettings
from zookeeper.service import ZooKeeper

PATIENT = {"heartbeat_seconds": 0.2, "session_expiry_seconds": 60.0}
IMPATIENT = {"heartbeat_seconds": 0.2, "session_expiry_seconds": 1.5}


class Told:
    """A callback that remembers what it was told."""

    def __init__(self) -> None:
        self.news: List[Any] = []

    def __call__(self, news: Any) -> None:
        self.news.append(news)

    def wait_for(self, wanted: Any) -> None:
        """Until the newest is this."""
        wait_until(lambda: self.news[-1:] == [wanted], what=f"{wanted} after {self.news}")


class World:
    """One zookeeper that can be restarted, and the coordinators of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = Ports()
        self.address = Address("127.0.0.1", self.ports.take())
        self.zookeeper: Optional[ZooKeeper] = None
        self.coordinators: List[Coordinator] = []
        self.proxies: List[Proxy] = []
        self.intervals: Dict[str, float] = PATIENT

    def settings(self, *addresses: Address) -> Settings:
        """Settings that lead to the zookeeper, or elsewhere when addresses are given."""
        hosts = addresses or (self.address,)
        zookeeper = ZooKeeperSettings(
            hosts=hosts, zookeeper_dir=str(self.folder), **self.intervals  # type: ignore[arg-type]
        )
        return Settings(zookeeper=zookeeper)

    def start_zookeeper(self) -> ZooKeeper:
        """Start it, again at the same address and in the same directory."""
        self.zookeeper = ZooKeeper(self.settings(), credentials("zookeeper"))
        self.zookeeper.start()
        return self.zookeeper

    def stop_zookeeper(self) -> None:
        """Stop it; its sessions are forgotten."""
        if self.zookeeper is not None:
            self.zookeeper.stop()
            self.zookeeper = None

    def proxy(self) -> Proxy:
        """A breakable way to the zookeeper."""
        self.proxies.append(Proxy(tuple(self.address)))  # type: ignore[arg-type]
        return self.proxies[-1]

    def coordinator(self, name: str, *addresses: Address) -> Coordinator:
        """A coordinator, not started yet."""
        made = Coordinator(name, self.settings(*addresses), credentials("name_node"))
        self.coordinators.append(made)
        return made

    def watcher(self, path: str = "/name_nodes") -> Told:
        """A started coordinator that only watches; what it was told."""
        told = Told()
        coordinator = self.coordinator("watcher")
        coordinator.watch(path, told)
        coordinator.start()
        return told

    def close(self) -> None:
        """Stop everything; no thread of a coordinator may be left."""
        for coordinator in self.coordinators:
            coordinator.stop()
        self.stop_zookeeper()
        for proxy in self.proxies:
            proxy.close()
        self.ports.close()
        wait_until(lambda: not coordinator_threads(), what="the end of all threads")


def coordinator_threads() -> List[str]:
    """The names of the threads that coordinators of this process still have."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("zookeeper-")]


def credentials(principal: str) -> Credentials:
    """Credentials of mode simple."""
    return Credentials(Principal.parse(principal))
