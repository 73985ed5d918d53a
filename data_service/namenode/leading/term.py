"""One term of leadership: what it needs, made, begun and ended together."""

import time
from typing import Callable

from data_service.namenode.chores import Chores
from data_service.namenode.decisions import Decisions
from data_service.namenode.leading import memory
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.housekeeping import Housekeeping
from data_service.namenode.leading.leader_lease import Election, LeaderLease
from data_service.namenode.leading.lease_keeper import LeaseKeeper
from data_service.namenode.leading.watchdog import Watchdog
from data_service.namenode.namenode_core import Core
from data_service.namenode.namespace.retries import ENTRIES_MAX, KEEP_SECONDS
from data_service.namenode.namesystem import Namesystem, edit_seconds
from metadata_service.edits import TABLES
from metadata_service.journal import Journal
from zookeeper.fabric import logs
from zookeeper.fabric.errors import CorruptData, NotLeader, ProtocolViolation
from zookeeper.fabric.settings import Settings

log = logs.get("namenode")

RECENT_SECONDS = KEEP_SECONDS + 60
"""Edits of so long before the last one are read at start, for the retry cache."""

LEAP_BITS = 40
"""A term's first block lies up to 2^LEAP_BITS numbers behind the last one that is recorded."""


class Term:
    """In `journal.epoch`, which has been claimed, of a core that no other term leads. `namesystem`
    may serve from `load` until `end`.

    `elected` is the zookeeper's last word; see `Namesystem` for `on_later_epoch`.
    """

    def __init__(
        self,
        settings: Settings,
        core: Core,
        journal: Journal,
        elected: Callable[[], Election],
        ending: Ending,
        on_later_epoch: Callable[[int], None],
    ) -> None:
        own = settings.name_node
        expiry, alone = settings.zookeeper.session_expiry_seconds, len(own.hosts) == 1
        lease = LeaderLease(expiry, alone, time.monotonic())
        self._ending = ending
        self._journal = journal
        self._core = core
        self._decisions = Decisions(core.state, journal, core.random)
        self._lease, self._elected = lease, elected
        self._lease_keeper = LeaseKeeper(lease, journal.prove, elected, ending)
        self.namesystem = Namesystem(
            settings, core, self._decisions, journal, self._lease_keeper, ending, on_later_epoch
        )
        self._watchdog = Watchdog(core.lock, ending, self._lease_keeper.end)
        self._chores = Chores(self._decisions, lease)
        self._housekeeping = Housekeeping(
            self.namesystem, self._chores, ending,
            own.replication_interval_seconds, edit_seconds(settings),
        )  # fmt: skip

    def load(self) -> None:
        """Read the image, check that no newer epoch began meanwhile, keep house and lease."""
        started = time.monotonic()
        with memory.of_an_image():
            self._load_image()
        asked_at, before = time.monotonic(), self._elected()
        self._journal.confirm()
        # That is a proof: a metadata service that hangs from now on keeps no reader waiting.
        self._lease.proved(asked_at, before)
        self._lead()
        seconds = round(time.monotonic() - started, 3)
        log.info("image.loaded", seconds=seconds, txid=self._journal.durable_txid)
        self._housekeeping.start()
        self._lease_keeper.start()
        self._watchdog.start()

    def _load_image(self) -> None:
        tables = {name: self._journal.load(name) for name in TABLES}
        edits = self._journal.recent_edits(ENTRIES_MAX, RECENT_SECONDS)
        try:
            self._core.state.load(tables, edits, self._journal.durable_txid)
        except (CorruptData, ProtocolViolation):
            # Rows of two moments do not fit together: perhaps a newer namenode changes them.
            self._journal.confirm()
            raise

    def _lead(self) -> None:
        epoch, core, now = self._journal.epoch, self._core, time.monotonic()
        with core.lock:
            core.state.blocks.loaded(now)
            # The very first term of a cluster has nobody's numbers to stay clear of.
            core.state.lead(epoch, now, core.random.getrandbits(LEAP_BITS) if epoch > 1 else 0)

    def end(self) -> None:
        """Stop: every waiting call is sent home with an error, and the threads have ended."""
        self._ending.set(NotLeader("the term was ended"))
        self._lease_keeper.end()
        self._journal.close()
        self._core.wake_all()
        self._housekeeping.join()

    def __repr__(self) -> str:
        return f"<Term in {self._journal!r}, {self._ending!r}>"
