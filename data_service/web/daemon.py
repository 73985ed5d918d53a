"""The gateway's process: what it is made of, and its life."""

import argparse
from typing import Dict, List, Optional

from data_service.filesystem.acting import Acting
from data_service.filesystem.file_system import FileSystem
from data_service.web.border import Border
from data_service.web.clients import Clients
from data_service.web.doors import Door
from data_service.web.exchange.http_server import HttpServer
from data_service.web.figures.asker import Asker, daemons_of
from data_service.web.figures.cluster_door import ClusterDoor
from data_service.web.figures.health_door import HealthDoor
from data_service.web.figures.log_lines import LogLines
from data_service.web.figures.metrics_door import MetricsDoor
from data_service.web.figures.sightings import Sighting
from data_service.web.figures.watcher import Watcher
from data_service.web.files.files_door import FilesDoor
from data_service.web.front import Front
from data_service.web.identity_door import IdentityDoor
from data_service.web.page.page_door import PageDoor
from data_service.web.proven_visitors import ProvenVisitors
from data_service.web.visitors import NamedVisitors, Visitors
from data_service.web.webhdfs.webhdfs_door import WebHdfsDoor
from zookeeper.fabric import daemon
from zookeeper.fabric.auth import SECRET, Credentials
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import GATEWAY, Principal
from zookeeper.fabric.meter import Meter
from zookeeper.fabric.process import process_figures
from zookeeper.fabric.settings import Settings


class WebGateway(daemon.Daemon):
    """One gateway: `index` into web_hosts tells which. It owns no state."""

    def __init__(self, settings: Settings, index: int) -> None:
        own = settings.web
        self.settings = settings
        self.address = daemon.address_at(own.hosts, index, "web_hosts")
        self._clients = Clients()
        hosts = {address.host for address in own.hosts} | set(own.web_names)
        visitors = _visitors(settings, self._clients)
        identity = IdentityDoor(visitors)
        page = PageDoor()
        credentials = _own_credentials(settings)
        self._asker = Asker(settings, credentials)
        self._watcher = Watcher(daemons_of(settings), self._asker, self._seen)
        self._lines = LogLines()
        secured = settings.security.mode == SECRET
        metrics = MetricsDoor(visitors, self._watcher, own.metrics_public, secured)
        doors: Dict[str, Door] = {
            "": page,
            "page": page,
            "files": FilesDoor(visitors),
            "cluster": ClusterDoor(visitors, self._watcher, self._lines),
            "health": HealthDoor(self._watcher),
            "metrics": metrics,
            "jmx": metrics,
            "webhdfs": WebHdfsDoor(visitors),
            "login": identity,
            "logout": identity,
            "who": identity,
        }
        self._meter = Meter()
        self._front = Front(doors, Border(hosts, own.web_origins), self._meter)
        self._tls = credentials.tls
        self._server: Optional[HttpServer] = None

    def start(self) -> None:
        """Serve; the cluster need not be there yet."""
        self._server = HttpServer(
            f"{GATEWAY}@{self.address}",
            daemon.bind_host(self.settings, self.address, hears_passwords=True),
            self.address.port,
            self._front.answering,
            self.settings.network,
            self._tls,
            self._meter,
        )
        self._lines.begin()
        self._watcher.start()
        self._server.start()
        scheme = "http" if self._tls is None else "https"
        self.ready = f"{self.address} {scheme}://{self.address}/webhdfs/v1"

    def stop(self) -> None:
        """Finish what runs, for a moment; uploads that go on for longer never appear."""
        if self._server is not None:
            self._server.stop()
        self._watcher.stop()
        self._asker.close()
        self._lines.end()
        self._clients.close()

    def _seen(self) -> Sighting:
        """What this gateway tells of itself."""
        served = () if self._server is None else self._server.figures()
        families = (*process_figures(), *served, *self._meter.figures())
        return Sighting(GATEWAY, str(self.address), families=families)


def _visitors(settings: Settings, clients: Clients) -> Visitors:
    """Who asks, as far as the cluster's mode lets anybody know."""

    def connect(user: str, acting: Acting, other: str) -> FileSystem:
        return FileSystem(settings, user, acting=acting, on_behalf_of=other)

    if settings.security.mode == SECRET:
        return ProvenVisitors(clients, connect)
    return NamedVisitors(clients, connect, settings.web.web_user)


def _own_credentials(settings: Settings) -> Credentials:
    """Who the gateway is itself. Raises SettingsError, also for the key of somebody else."""
    found = credentials_of(settings, Principal(GATEWAY), assumed=True)
    if found.principal.role != GATEWAY:
        raise SettingsError(f"{settings.path}: found the key of {found.principal}, expected that "
                            "of a gateway, as `issueKey --gateway web` writes it")
    return found


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "index", type=int, nargs="?", default=0,
        help="which gateway to be: index into web_hosts; 0 without",
    )  # fmt: skip


def main(argv: Optional[List[str]] = None) -> int:
    """Run one gateway until it is told to stop; the process's exit status."""
    return daemon.run(
        GATEWAY,
        "Serves the files of a cluster over HTTP, as HDFS's WebHDFS does.",
        argv,
        lambda settings, arguments: WebGateway(settings, arguments.index),
        _add_arguments,
    )
