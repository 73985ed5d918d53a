"""What a datanode does for the namenode: register, report, beat, obey.

Theory of operation. The heartbeat is a long poll: the namenode answers when it has commands, or
when the interval is over, so a command arrives at once and a beat is never late by design. Its
connection is its own. A full report follows every registration; what happens to single replicas is
told at once, and when that fails it is kept and told before the next heartbeat. The namenode's
epoch is remembered on disk, so that an older namenode which wakes up can command nothing
(HDFS-1972).
"""

import random
import threading
import time
import uuid
from typing import Callable, Dict, Iterable, List, Tuple

from data_service.datanode.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.messages import (
    DELETE,
    REPLICATE,
    REPORT,
    TRASH,
    Command,
    NodeInfo,
    NodeStats,
    Registration,
    pack_blocks,
)
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Fenced, SessionExpired, StartRefused
from zookeeper.fabric.remote import LeaderPool
from zookeeper.fabric.settings import Address, DataNodeSettings

log = logs.get("duties")

REPORT_BLOCKS = 10_000
"""Blocks in one part of a full report: 240 KB, well below the limit of a frame."""

Obey = Callable[[Command], None]


class Duties:
    """The datanode's side of its contract with the namenode, in one thread.

    `obey` carries a command out and must return soon; `streams` tells how many transfers run.
    """

    def __init__(
        self,
        address: Address,
        settings: DataNodeSettings,
        store: BlockStore,
        namenode: LeaderPool,
        obey: Obey,
        streams: Callable[[], int],
    ) -> None:
        self._address = address
        self._settings = settings
        self._store = store
        self._namenode = namenode
        self._obey = obey
        self._streams = streams
        self._incarnation = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._registered = threading.Event()
        self._session = 0
        self._report_due = 0.0
        self._failed_volumes = 0
        self._lock = threading.Lock()
        self._untold: List[Tuple[str, Block]] = []
        self.refusal = ""

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._keep, name="duties", daemon=True).start()

    def stop(self) -> None:
        """End; the thread notices after its current call."""
        self._stopping.set()
        self._registered.set()
        self._namenode.close()

    def await_registration(self) -> None:
        """Wait for the first registration and full report; StartRefused when it is refused."""
        self._registered.wait()
        if self.refusal:
            raise StartRefused(self.refusal)

    def tell(self, kind: str, blocks: Iterable[Block]) -> None:
        """Tell the namenode of replicas `received`, `deleted` or found `corrupt`, at once.

        When it cannot be told now, it is told before the next heartbeat: nothing gets lost.
        """
        with self._lock:
            self._untold.extend((kind, block) for block in blocks)
        try:
            self._tell_all()
        except DfsError as error:
            log.info("change.kept", kind=kind, error=error.message)

    def __repr__(self) -> str:
        return f"<Duties session {self._session}, {len(self._untold)} changes untold>"

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self._round()
            except SessionExpired:
                log.info("session.expired", session=self._session)
                self._session = 0
            except StartRefused as error:
                self._refused(error)
            except DfsError as error:
                if not self._stopping.is_set():
                    log.info("namenode.out_of_reach", error=error.message)
                # Datanodes that lost the same namenode must not come back in step.
                pause = self._settings.heartbeat_seconds * random.uniform(0.5, 1.0)
                self._stopping.wait(pause)

    def _round(self) -> None:
        if not self._session:
            self._register()
        if self._failed_volumes != self._stats().failed_volumes:
            self._report_due = 0.0
        if time.monotonic() >= self._report_due:
            self._report()
            self._registered.set()
        self._tell_all()
        self._beat()

    def _register(self) -> None:
        info = NodeInfo(
            self._store.node_id,
            self._incarnation,
            self._address.host,
            self._address.port,
            self._settings.rack,
            self._store.cluster_id,
        )
        registration = Registration._make(self._namenode.call("register", info))
        self._check_epoch(registration.epoch)
        if not self._store.cluster_id:
            self._store.join_cluster(registration.cluster_id)
        self._session = registration.session
        self._report_due = 0.0
        log.info("datanode.registered", session=self._session, epoch=registration.epoch)

    def _report(self) -> None:
        with self._lock:
            # The inventory taken next has all of these.
            self._untold = [item for item in self._untold if item[0] != "received"]
        stats = self._stats()
        inventory = self._store.inventory()
        blocks, report_id = inventory.good, time.monotonic_ns()
        parts = max(1, -(-len(blocks) // REPORT_BLOCKS))
        for part in range(parts):
            chosen = blocks[part * REPORT_BLOCKS : (part + 1) * REPORT_BLOCKS]
            payload = pack_blocks(chosen)
            self._namenode.call(
                "block_report", self._session, report_id, part, parts, payload
            )
        self._failed_volumes = stats.failed_volumes
        self._report_due = time.monotonic() + self._settings.block_report_seconds
        if inventory.corrupt:
            self.tell("corrupt", inventory.corrupt)

    def _tell_all(self) -> None:
        with self._lock:
            told, session = list(self._untold), self._session
        if not told or not session:
            return
        changes: Dict[str, List[Block]] = {"received": [], "deleted": [], "corrupt": []}
        for kind, block in told:
            changes[kind].append(block)
        self._namenode.call("block_changes", session, *map(tuple, changes.values()))
        known = set(told)
        with self._lock:
            self._untold = [item for item in self._untold if item not in known]

    def _beat(self) -> None:
        interval = self._settings.heartbeat_seconds
        epoch, commands = self._namenode.call(
            "heartbeat", self._session, self._stats(), interval, timeout=interval + 10.0
        )
        self._check_epoch(epoch)
        for row in commands:
            command = Command.from_wire(row)
            log.debug("command.received", action=command.action, blocks=len(command.blocks))
            if command.action == REPORT:
                self._report_due = 0.0
            elif command.action in (REPLICATE, DELETE, TRASH):
                self._obey(command)
            else:
                log.warning("command.unknown", action=command.action)

    def _check_epoch(self, epoch: int) -> None:
        if epoch < self._store.epoch:
            raise Fenced(f"a namenode of epoch {epoch} commands, {self._store.epoch} is known")
        self._store.remember_epoch(epoch)

    def _stats(self) -> NodeStats:
        capacity, used, remaining, blocks, failed = self._store.usage()
        return NodeStats(capacity, used, remaining, blocks, self._streams(), failed)

    def _refused(self, error: DfsError) -> None:
        """The namenode does not want this datanode (a clone, another cluster): say so, ask on."""
        log.error("datanode.refused", error=error.message)
        if not self._registered.is_set():
            self.refusal = error.message
            self._registered.set()
        self._stopping.wait(self._settings.heartbeat_seconds)
