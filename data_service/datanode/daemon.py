"""The datanode daemon: what one process is made of, and its life."""

import argparse
from typing import List, Optional

from data_service.datanode.access import Access
from data_service.datanode.actor import Actor
from data_service.datanode.background.block_scanner import BlockScanner
from data_service.datanode.background.directory_scanner import DirectoryScanner
from data_service.datanode.background.trash_emptier import TrashEmptier
from data_service.datanode.background.verifier import Verifier
from data_service.datanode.commands import Commands
from data_service.datanode.description import NodeDescription
from data_service.datanode.incremental_report import CORRUPT
from data_service.datanode.namenode_line import NameNodeLine
from data_service.datanode.service import DataNodeService
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.transfer_slots import TransferSlots
from data_service.protocol.namenode_calls import AdmissionCalls
from data_service.stubs.datanode_client import DataNodeClient
from data_service.stubs.tickets import TicketCredentials
from zookeeper.coordinator import Coordinator
from zookeeper.fabric import daemon
from zookeeper.fabric.auth import Keyring
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, server_at
from zookeeper.fabric.pools import LeaderPool
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Settings


class DataNode(daemon.Daemon):
    """One datanode process: `index` into data_node_hosts tells which."""

    def __init__(self, settings: Settings, index: int) -> None:
        own = settings.data_node
        self.settings = settings
        self.address = daemon.address_at(own.hosts, index, "data_node_hosts")
        self.credentials = credentials_of(settings, server_at(DATA_NODE, self.address))
        self.store = BlockStore(
            own.directories_of(self.address),
            own.reserved_bytes,
            lambda block: self.actor.tell(CORRUPT, [block]),
        )
        self.slots = TransferSlots(own.max_streams, str(self.address))
        leader = LeaderPool(
            NAME_NODE, settings.name_node.hosts, self.credentials, settings.network
        )
        admission = AdmissionCalls(leader.perform, settings.network.handshake_timeout_seconds)
        self.peers = DataNodeClient(
            TicketCredentials(self.credentials, admission.ticket), settings.network
        )
        self.actor = Actor(
            [NameNodeLine(host, self.credentials, settings.network)
             for host in settings.name_node.hosts],
            NodeDescription(self.address, own.rack, self.store, lambda: self.slots.running),
            self.store,
            own,
            lambda command, holds: self._commands.obey(command, holds),
            self._join,
        )
        self._verifier = Verifier(self.store, self.actor.tell, self.actor.report_again)
        self._commands = Commands(
            self.store,
            self._verifier,
            self.actor,
            self.peers,
            settings.name_node.max_replication_streams,
        )
        self._block_scanner = BlockScanner(
            self.store, own.scan_period_seconds, own.scan_bytes_per_second
        )
        self._directory_scanner = DirectoryScanner(self.store, own.block_report_seconds)
        self._trash_emptier = TrashEmptier(self.store.volumes, own.trash_seconds)
        self._access = Access(self.address, self._keyring, settings.security.token_seconds)
        self._server: Optional[Server] = None
        self._coordinator: Optional[Coordinator] = None

    def start(self) -> None:
        """Open the store, serve, register; returns after the first full block report."""
        self.store.open()
        host = daemon.bind_host(self.settings, self.address)
        self._server = Server(
            f"{DATA_NODE}@{self.address}",
            host,
            self.address.port,
            self._service,
            self.credentials,
            self.settings.network,
            here=self.settings.client.short_circuit,
        )
        self._server.start()
        self.actor.start()
        self._block_scanner.start()
        self._directory_scanner.start()
        self._trash_emptier.start()
        self.actor.await_registration()
        self._verifier.start()
        usage = self.store.usage()
        self.ready = (
            f"{self.address} blocks={usage.replicas} used={usage.used} "
            f"remaining={usage.remaining}"
        )

    def stop(self) -> None:
        """Finish running transfers, say goodbye, release the directories."""
        if self._server is not None:
            self._server.stop()
        self._block_scanner.stop()
        self._directory_scanner.stop()
        self._trash_emptier.stop()
        self._verifier.stop()
        self.actor.stop()
        self.peers.close()
        if self._coordinator is not None:
            self._coordinator.stop()
        self.store.close()

    def _keyring(self) -> Optional[Keyring]:
        """As the server has it: no file is looked at for each block."""
        assert self._server is not None, "it serves"
        return self._server.keyring

    def _service(self) -> DataNodeService:
        return DataNodeService(
            self.store,
            self.slots,
            self.peers,
            self.actor.tell,
            self.settings.network,
            self._access,
        )

    def _join(self) -> None:
        """A namenode knows this datanode: let the zookeeper see it, too. Not before, or one that
        is refused would take over what the datanode has that lives at its address."""
        if self._coordinator is None:
            self._coordinator = Coordinator(str(self.address), self.settings, self.credentials)
            self._coordinator.register(f"/data_nodes/{self.address}", self.store.volumes.node_id)
            self._coordinator.start()


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "index", type=int, help="which datanode to be: index into data_node_hosts, from 0"
    )


def main(argv: Optional[List[str]] = None) -> int:
    """Run one datanode until it is told to stop; the process's exit status."""
    return daemon.run(
        DATA_NODE,
        "Keeps blocks and serves them; its index in data_node_hosts tells which datanode it is.",
        argv,
        lambda settings, arguments: DataNode(settings, arguments.index),
        _add_arguments,
    )
