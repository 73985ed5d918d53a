"""The metadata service: one database, served to the namenode that claimed the newest epoch."""

import argparse
import math
import threading
import time
from typing import List, Optional, Union

from metadata_service.backup import restore
from metadata_service.calls import Appended, MetadataCalls, Status
from metadata_service.edits import TABLES, split_lines
from metadata_service.metadata_db import MetadataDatabase
from metadata_service.schema import JOURNAL, STATE
from zookeeper.fabric import daemon, disk, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import serves
from zookeeper.fabric.errors import DiskFailed, InvalidArgument
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import METADATA, NAME_NODE, Principal
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, Settings

log = logs.get("metadata")

READABLE = {table.name: table for table in (*TABLES.values(), JOURNAL, STATE)}
"""What can be read of the record row by row: a backup takes the log, and whose it is, as well."""

ROWS_MAX = 10_000
RESERVE_BYTES = 8 << 20
"""Room on the disk below which the namenode is asked to accept no more changes. It is large
enough for the edits that the namenode has accepted already, and for emptying the log."""

ROOM_SECONDS = 0.1
"""How old the measure of that room may be: taken anew for every append, it was a tenth of each."""


@serves(MetadataCalls)
class MetadataService(Service):
    """Answers a namenode, on one connection."""

    def __init__(self, database: MetadataDatabase, directory: str, frame_bytes_max: int) -> None:
        self._database = database
        self._directory = directory
        self._reply_bytes_max = frame_bytes_max // 2
        self._room = True
        self._measure_at = -math.inf
        self.own_figures = database.figures  # type: ignore[method-assign]
        self.claim_epoch = database.claim_epoch
        self.checkpoint = database.checkpoint

    def append(self, epoch: int, first_txid: int, payload: bytes) -> Appended:
        """See MetadataCalls."""
        last_txid = self._database.append(epoch, first_txid, split_lines(payload))
        return Appended(last_txid, self._has_room())

    def status(self) -> Status:
        """See MetadataCalls."""
        return Status(*self._database.status, self._has_room())

    def load(self, table: str, after: Union[int, str, None], limit: int) -> bytes:
        """See MetadataCalls."""
        known = READABLE.get(table)
        if known is None or not (after is None or type(after) is known.key.kind):
            raise InvalidArgument(f"there is no table {table:.40} with a key {after!a:.40}")
        return self._database.load(known, after, min(limit, ROWS_MAX), self._reply_bytes_max)

    def edits_since(self, txid: int, limit: int) -> bytes:
        """See MetadataCalls."""
        return self._database.edits_since(txid, min(limit, ROWS_MAX), self._reply_bytes_max)

    def _has_room(self) -> bool:
        now = time.monotonic()
        if now >= self._measure_at:
            try:
                self._room = disk.space(self._directory).free >= RESERVE_BYTES
            except DiskFailed as error:
                # Reading goes on, of which the namenode needs to hear that nobody else leads.
                if self._room:
                    log.error("disk.not_measured", error=error.message, effect="no changes")
                self._room = False
            self._measure_at = now + ROOM_SECONDS
        return self._room


class Metadata(daemon.Daemon):
    """The metadata service's process: directory, database, listening address."""

    def __init__(
        self, settings: Settings, credentials: Credentials, restore_from: str = "", index: int = 0
    ) -> None:
        """Nothing is touched before `start`, which first restores the backup at this path."""
        self._restore_from = restore_from
        self._settings = settings
        self._credentials = credentials
        self._advertised = daemon.address_at(settings.metadata.hosts, index, "metadata_hosts")
        self._directory = settings.metadata.directory_of(self._advertised)
        self._lock = threading.Lock()
        self._stopped = False
        self._directory_lock: Optional[disk.DirectoryLock] = None
        self._database: Optional[MetadataDatabase] = None
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
            if self._stopped:
                return
        directory_lock = disk.take_directory(directory)
        try:
            if self._restore_from:
                restore(self._restore_from, directory)
                log.info("record.restored", backup=self._restore_from)
            database = MetadataDatabase.open(directory, self._settings.metadata.keep_edits)
        except BaseException:
            directory_lock.close()
            raise
        with self._lock:
            self._directory_lock, self._database = directory_lock, database
            if self._stopped:
                self._release()
                return
            self._serve(database)

    def _serve(self, database: MetadataDatabase) -> None:
        network, directory = self._settings.network, self._directory
        self._server = Server(
            f"{METADATA}@{self._advertised}",
            daemon.bind_host(self._settings, self._advertised),
            self._advertised.port,
            lambda: MetadataService(database, directory, network.max_frame_bytes),
            self._credentials,
            network,
            large_requests_of=NAME_NODE,
        )
        self.address = Address(self._advertised.host, self._server.address.port)
        cluster_id, _, last_txid = database.status
        self.ready = f"{self.address} cluster {cluster_id} last edit {last_txid}"
        self._server.start()

    def stop(self) -> None:
        """Let running calls finish, close the database, free the directory."""
        with self._lock:
            self._stopped = True
            self._release()

    def _release(self) -> None:
        if self._server is not None:
            self._server.stop()
        if self._database is not None:
            self._database.close()
        if self._directory_lock is not None:
            self._directory_lock.close()

    def __repr__(self) -> str:
        return f"<Metadata {self.ready}>"


def _build(settings: Settings, arguments: argparse.Namespace) -> Metadata:
    credentials = credentials_of(settings, Principal(METADATA))
    return Metadata(settings, credentials, arguments.restore, arguments.index)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    daemon.add_index(parser, "metadata service", "metadata_hosts")
    parser.add_argument(
        "--restore", metavar="DIR", default="",
        help="begin with the backup in DIR, in a metadata_dir where there is no record yet",
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
