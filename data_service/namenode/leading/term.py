"""One term of leadership: what it needs, made, begun and ended together."""

import time
from typing import Callable, Optional

from data_service.namenode.chores import Chores
from data_service.namenode.decisions import Decisions
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.giving_way import GivingWay
from data_service.namenode.leading.housekeeping import Housekeeping
from data_service.namenode.leading.leader_lease import LeaderLease
from data_service.namenode.leading.lease_keeper import LeaseKeeper
from data_service.namenode.leading.unheard import Unheard
from data_service.namenode.leading.watchdog import Watchdog
from data_service.namenode.namenode_core import Core
from data_service.namenode.namesystem import Namesystem, edit_seconds
from metadata_service.leader.journal import Journal
from zookeeper.fabric import logs
from zookeeper.fabric.errors import NotLeader
from zookeeper.fabric.settings import Settings

log = logs.get("namenode")

LEAP_BITS = 40
"""A term's first block lies up to 2^LEAP_BITS numbers behind the last one that is recorded."""

DRAIN_SECONDS = 1.0
"""How long the end of a term in good order waits for what was decided."""


class Term:
    """In `journal.epoch`, which has been claimed, of a core that nobody else changes and that has
    everything that was recorded. `namesystem` may serve from `begin` until `end`.

    See `Namesystem` for `on_later_epoch`, and `GivingWay` for `unheard` and `hand_over`.
    """

    def __init__(
        self,
        settings: Settings,
        core: Core,
        journal: Journal,
        ending: Ending,
        on_later_epoch: Callable[[int], None],
        unheard: Unheard,
        hand_over: Callable[[], None],
    ) -> None:
        own = settings.name_node
        lease = LeaderLease(own.leader_seconds, len(own.hosts) == 1)
        self._ending = ending
        self._journal = journal
        self._core = core
        self._decisions = Decisions(core.state, journal, core.random)
        self._lease_keeper = LeaseKeeper(lease, journal.prove, ending)
        self.namesystem = Namesystem(
            settings, core, self._decisions, journal, self._lease_keeper, ending, on_later_epoch
        )
        self._watchdog = Watchdog(core.lock, ending, journal.close)
        self._chores = Chores(self._decisions)
        self._housekeeping = Housekeeping(
            self.namesystem, self._chores, ending,
            own.replication_interval_seconds, edit_seconds(settings),
            GivingWay(self.namesystem, unheard, hand_over).look,
        )  # fmt: skip

    def begin(self) -> None:
        """Check that no newer epoch began meanwhile, lead the core, keep house and lease."""
        self._lease_keeper.start()
        self._journal.confirm()
        epoch, core = self._journal.epoch, self._core
        with core.lock:
            # The very first term of a cluster has nobody's numbers to stay clear of.
            leap = core.random.getrandbits(LEAP_BITS) if epoch > 1 else 0
            core.state.lead(epoch, time.monotonic(), leap)
        # Heartbeats that have waited here so far are answered by who leads from now on.
        core.wake_all()
        self._housekeeping.start()
        self._watchdog.start()

    def end(self) -> Optional[Core]:
        """Stop: every waiting call is sent home with an error, and the threads have ended. The core
        if all that it knows is recorded, so that it may go on without this term; else None."""
        if not self._ending.is_set:
            self.namesystem.drain(DRAIN_SECONDS)
        self._ending.set(NotLeader("the term was ended"))
        self._lease_keeper.end()
        core = self._core
        with core.lock:
            # Whoever comes later finds that the term is over.
            recorded = self._journal.durable_txid >= core.state.commits.last_txid
            if recorded:
                core.state.stand_by()
        self._journal.close()
        core.wake_all()
        self._housekeeping.join()
        return core if recorded else None

    def __repr__(self) -> str:
        return f"<Term in {self._journal!r}, {self._ending!r}>"
