"""The metadata service: one database, served to namenodes and to other members of its quorum."""

import argparse
import threading
import time
from typing import AbstractSet, Callable, List, Optional, TypeVar, Union

from metadata_service.calls import MemberCalls, ScrubCalls
from metadata_service.edits import TABLES
from metadata_service.going_alone import go_alone
from metadata_service.member.applier import Applier
from metadata_service.member.catch_up import CatchUp
from metadata_service.member.member_database import MemberDatabase
from metadata_service.member.member_lease import LEASE_FACTOR
from metadata_service.member.upkeep import Upkeep
from metadata_service.quorum import Export, Tail
from metadata_service.record import incoming, setting_aside
from metadata_service.record.backup import restore, version_of
from metadata_service.record.exports import Exports
from metadata_service.record.schema import JOURNAL, STATE
from zookeeper.fabric import daemon, disk, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import serves
from zookeeper.fabric.errors import DiskFull, InvalidArgument
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import METADATA, NAME_NODE, Principal
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, Settings

log = logs.get("metadata")

Result = TypeVar("Result")

ROOM_SECONDS = 0.5
"""How often a disk that was too full to begin on is tried again."""

READABLE = {table.name: table for table in (*TABLES.values(), JOURNAL, STATE)}
"""What can be read of the record row by row: a backup takes the log, and whose it is, as well."""

ROWS_MAX = 10_000


@serves(MemberCalls)
@serves(ScrubCalls)
class MetadataService(Service):
    """Answers a namenode or another member, on one connection."""

    def __init__(
        self,
        database: MemberDatabase,
        exports: Exports,
        bytes_max: int,
        name_nodes: AbstractSet[str] = frozenset(),
    ) -> None:
        """`name_nodes` are the addresses of those that may lead."""
        self.name_nodes = name_nodes
        self._database = database
        self._exports = exports
        self._bytes_max = bytes_max
        self.own_figures = database.figures  # type: ignore[method-assign]
        self.status = database.status
        self.claim = database.claim
        self.adopt = database.adopt
        self.append = database.append
        self.prove = database.prove
        self.release = database.release
        self.checkpoint = database.checkpoint
        self.end_export = exports.end

    def wish(self, address: str, missed_by: int) -> None:
        """See MemberCalls."""
        if address not in self.name_nodes:
            raise InvalidArgument(f"{address} is not in name_node_hosts of this metadata service: "
                                  "have the same there everywhere, and restart it")
        self._database.wish(address, missed_by)

    def tail(self, txid: int, limit: int, wait: float) -> Tail:
        """See MemberCalls."""
        return self._database.tail(txid, min(limit, ROWS_MAX), wait, self._bytes_max)

    def begin_export(self) -> Export:
        """See MemberCalls."""
        return self._exports.begin(f"{self.peer.principal} at {self.peer.host}")

    def image_digest(self, epoch: int, txid: int) -> str:
        """See ScrubCalls."""
        return self._database.image_digest(epoch, txid)

    def doubt(self, epoch: int, digest: str) -> None:
        """See ScrubCalls."""
        self._database.doubt(epoch, digest)

    def undecided(self, epoch: int, txid: int, limit: int) -> bytes:
        """See MemberCalls."""
        return self._database.undecided(epoch, txid, min(limit, ROWS_MAX), self._bytes_max)

    def load(
        self, table: str, after: Union[int, str, None], limit: int, export_id: str = ""
    ) -> bytes:
        """See MemberCalls."""
        if export_id:
            return self._exports.load(export_id, table, after, min(limit, ROWS_MAX))
        known = READABLE.get(table)
        if known is None or not (after is None or type(after) is known.key.kind):
            raise InvalidArgument(f"there is no table {table:.40} with a key {after!a:.40}")
        return self._database.load(known, after, min(limit, ROWS_MAX), self._bytes_max)


class Metadata(daemon.Daemon):
    """The metadata service's process: directory, database, listening address."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        restore_from: str = "",
        index: int = 0,
        alone: Optional[str] = None,
    ) -> None:
        """Nothing is touched before `start`, which first restores the backup at this path, or has
        the member go on `alone`, if that is the id of its cluster."""
        self._restore_from, self._alone = restore_from, alone
        self._settings = settings
        self._credentials = credentials
        self._advertised = daemon.address_at(settings.metadata.hosts, index, "metadata_hosts")
        self._directory = settings.metadata.directory_of(self._advertised)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._directory_lock: Optional[disk.DirectoryLock] = None
        self._database: Optional[MemberDatabase] = None
        self._applier: Optional[Applier] = None
        self._catch_up: Optional[CatchUp] = None
        self._server: Optional[Server] = None
        self.address = self._advertised
        self.ready = str(self._advertised)

    def start(self) -> None:
        """Lock the directory, open the database, serve. Raises StartRefused, DiskFull, …

        To look through a large database takes long. Who stops meanwhile does not wait for it: what
        is being opened is closed here, at the latest by the end of the process.
        """
        directory = self._directory
        with self._lock:
            if self._stopped.is_set():
                return
        # Before anything is touched: a backup that is refused leaves nothing behind.
        backup = version_of(self._restore_from) if self._restore_from else None
        directory_lock = disk.take_directory(directory)
        try:
            self._with_room(lambda: setting_aside.resume(directory))
            incoming.resume(directory)
            if backup is not None:
                restore(self._restore_from, backup, directory)
                log.info("record.restored", backup=self._restore_from)
            if self._alone is not None:
                go_alone(directory, str(self._advertised), self._alone)
            database = self._with_room(self._opened)
        except BaseException:
            directory_lock.close()
            raise
        with self._lock:
            self._directory_lock, self._database = directory_lock, database
            if self._stopped.is_set():
                self._release()
                return
            self._serve(database)

    @property
    def _is_alone(self) -> bool:
        return len(self._settings.metadata.hosts) == 1

    def _with_room(self, deed: Callable[[], Result]) -> Result:
        """What it gives. One of several waits while its disk is too full to put a damaged record
        aside, or to begin a blank one: the others do without it, and nobody has to start it once
        more."""
        told = False
        while True:
            try:
                return deed()
            except DiskFull as error:
                if self._is_alone or self._stopped.wait(ROOM_SECONDS):
                    raise
                if not told:  # Once is enough, however long it takes.
                    log.warning("record.awaits_room", error=error.message)
                told = True

    def _opened(self) -> MemberDatabase:
        metadata = self._settings.metadata
        lease_seconds = LEASE_FACTOR * self._settings.name_node.leader_seconds
        address = str(self._advertised)
        # Which of several members are the first ones, only their leader can know.
        begin = MemberDatabase.open if self._is_alone else MemberDatabase.begin
        return begin(self._directory, metadata.keep_edits, lease_seconds, address)

    def _serve(self, database: MemberDatabase) -> None:
        network = self._settings.network
        bytes_max = network.max_frame_bytes // 2
        exports = Exports(database, bytes_max, time.monotonic)
        name_nodes = frozenset(map(str, self._settings.name_node.hosts))
        self._applier = Applier(database, exports)
        self._server = Server(
            f"{METADATA}@{self._advertised}",
            daemon.bind_host(self._settings, self._advertised),
            self._advertised.port,
            lambda: MetadataService(database, exports, bytes_max, name_nodes),
            self._credentials,
            network,
            large_requests_of=NAME_NODE,
        )
        self.address = Address(self._advertised.host, self._server.address.port)
        status = database.status()
        self.ready = f"{self.address} cluster {status.cluster_id} last edit {status.last.txid}"
        self._server.start()
        peers = [host for host in self._settings.metadata.hosts if host != self._advertised]
        if peers:
            self._catch_up = CatchUp(
                Upkeep(database, self._directory), peers, self._credentials, network,
                self._settings.metadata.catch_up_bytes_per_second,
            )  # fmt: skip
            self._catch_up.start()

    def stop(self) -> None:
        """Let running calls finish, close the database, free the directory."""
        with self._lock:
            self._stopped.set()
            self._release()

    def _release(self) -> None:
        if self._database is not None:
            self._database.end_waits()
        if self._server is not None:
            self._server.stop()
        if self._catch_up is not None:
            self._catch_up.stop()
        if self._applier is not None:
            self._applier.stop()
        if self._database is not None:
            self._database.close()
        if self._directory_lock is not None:
            self._directory_lock.close()

    def __repr__(self) -> str:
        return f"<Metadata {self.ready}>"


def _build(settings: Settings, arguments: argparse.Namespace) -> Metadata:
    credentials = credentials_of(settings, Principal(METADATA))
    return Metadata(
        settings, credentials, arguments.restore, arguments.index, arguments.alone
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    daemon.add_index(parser, "metadata service", "metadata_hosts")
    parser.add_argument(
        "--restore", metavar="DIR", default="",
        help="begin with the backup in DIR, in a metadata_dir where there is no record yet",
    )  # fmt: skip
    parser.add_argument(
        "--alone", metavar="CLUSTER", nargs="?", const="",
        help="go on without the other members, most of which are lost for good; without the id of "
             "the cluster it only says what this one has",
    )  # fmt: skip


def main(argv: Optional[List[str]] = None) -> int:
    """Run the metadata service until a signal; the process's exit status."""
    return daemon.run(
        role=METADATA,
        description="Keeps the durable record of the namespace.",
        argv=argv,
        build=_build,
        add_arguments=_add_arguments,
    )
