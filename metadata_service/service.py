"""The metadata service: one database, served to the namenode that claimed the newest epoch."""

import argparse
import math
import threading
import time
from typing import Any, List, Optional, Tuple

from metadata_service.edits import TABLES, split_lines
from metadata_service.metadata_db import MetadataDatabase
from zookeeper.fabric import daemon, disk, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import DiskFailed, InvalidArgument, PermissionDenied
from zookeeper.fabric.identity import METADATA, NAME_NODE
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, Settings

log = logs.get("metadata")

ROWS_MAX = 10_000
OWNER_CHARACTERS_MAX = 200
RESERVE_BYTES = 8 << 20
"""Room on the disk below which the namenode is asked to accept no more changes. It is large
enough for the edits that the namenode has accepted already, and for emptying the log."""

ROOM_SECONDS = 0.1
"""How old the measure of that room may be: taken anew for every append, it was a tenth of each."""


class MetadataService(Service):
    """What a namenode may ask. Values that a caller gives are checked before they are used."""

    def __init__(self, database: MetadataDatabase, directory: str, frame_bytes_max: int) -> None:
        self._database = database
        self._directory = directory
        self._reply_bytes_max = frame_bytes_max // 2
        self._room = True
        self._measure_at = -math.inf

    def exposed_claim_epoch(
        self, owner: str, above: Optional[int] = None, at_least: int = 0
    ) -> int:
        """A new epoch, durable and greater than all before: appends of older ones are Fenced.

        With `above`, the newest epoch that the caller has seen, it may be repeated under the same
        owner. `at_least` is what others than this service know of, which may have been restored
        from a backup since. Errors as in `MetadataDatabase.claim_epoch`.
        """
        self._admit()
        _require(type(owner) is str and len(owner) <= OWNER_CHARACTERS_MAX, "owner")
        _require(above is None or type(above) is int and above >= 0, "epoch")
        _require(type(at_least) is int and at_least >= 0, "epoch")
        return self._database.claim_epoch(owner, above, at_least)

    def exposed_append(self, epoch: int, first_txid: int, payload: bytes) -> Tuple[int, bool]:
        """(last durable txid, is there room for more) after the edits in `payload`'s lines.

        All of them are durable, or an error is raised and none is; the same append may be sent
        again. Errors as in `MetadataDatabase.append`.
        """
        self._admit()
        _require(type(epoch) is int, "epoch")
        _require(type(first_txid) is int and first_txid > 0, "first txid")
        _require(type(payload) is bytes, "payload")
        last_txid = self._database.append(epoch, first_txid, split_lines(payload))
        return last_txid, self._has_room()

    def exposed_checkpoint(self, epoch: int) -> int:
        """Copy the log into the database, read a sample back; the last txid that is in it."""
        self._admit()
        _require(type(epoch) is int, "epoch")
        return self._database.checkpoint(epoch)

    def exposed_status(self) -> Tuple[str, int, int, bool]:
        """(cluster id, newest claimed epoch, last durable txid, is there room for edits)."""
        self._admit()
        return (*self._database.status, self._has_room())

    def exposed_load(self, table: str, after: Any, limit: int) -> bytes:
        """Lines of rows behind key `after` (None: from the first), in order; none at the end."""
        self._admit()
        _require(type(table) is str and table in TABLES, "table")
        _require(after is None or type(after) is TABLES[table].key.kind, "key")
        _require(type(limit) is int and limit > 0, "limit")
        rows = min(limit, ROWS_MAX)
        return self._database.load(TABLES[table], after, rows, self._reply_bytes_max)

    def exposed_edits_since(self, txid: int, limit: int) -> bytes:
        """Lines of the edits that are kept behind `txid`, in order; none at the end."""
        self._admit()
        _require(type(txid) is int and txid >= 0, "txid")
        _require(type(limit) is int and limit > 0, "limit")
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

    def _admit(self) -> None:
        if self.peer.principal.role != NAME_NODE:
            raise PermissionDenied(f"{self.peer.principal} may not use the metadata service")


def _require(right: bool, what: str) -> None:
    if not right:
        raise InvalidArgument(f"wrong type or range: {what}")


class Metadata(daemon.Daemon):
    """The metadata service's process: directory, database, listening address."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        """Nothing is touched before `start`."""
        self._settings = settings
        self._credentials = credentials
        self._advertised = settings.metadata.hosts[0]
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
        metadata = self._settings.metadata
        with self._lock:
            if self._stopped:
                return
        directory_lock = disk.take_directory(metadata.metadata_dir)
        try:
            database = MetadataDatabase.open(metadata.metadata_dir, metadata.keep_edits)
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
        network, directory = self._settings.network, self._settings.metadata.metadata_dir
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


def _build(settings: Settings, _arguments: argparse.Namespace, own: Credentials) -> Metadata:
    return Metadata(settings, own)


def main(argv: Optional[List[str]] = None) -> int:
    """Run the metadata service until a signal; the process's exit status."""
    return daemon.run(
        role=METADATA,
        description="Keeps the durable record of the namespace.",
        argv=argv,
        build=_build,
    )
