"""What a datanode does for its namenodes: it tells all of them, and obeys the one that leads.

Theory of operation. Each namenode of config.ini is attended by threads of its own, with a session,
reports and news of its own; the replicas and the newest epoch are shared. Whoever writes a block
waits until the namenode that leads has heard of it. The others hear a little later: they must know
it before they lead, and not before a file is complete. One that is away or suspended delays nobody,
and what is kept for it is bounded.
"""

import threading
import time
from typing import Callable, ContextManager, Iterable, List, Optional, Sequence

from data_service.datanode.description import NodeDescription
from data_service.datanode.duties import Duties, Obey
from data_service.datanode.namenode_line import NameNodeLine
from data_service.datanode.obedience import Obedience
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, Told
from zookeeper.fabric.errors import StartRefused
from zookeeper.fabric.settings import DataNodeSettings

REFUSED_SECONDS = 5.0
"""So long after a namenode has refused this datanode another one may still accept it."""


class Actor:
    """The datanode's side of its contract with all namenodes; for `obey` see Duties. `joined` is
    told when a namenode has accepted it for the first time."""

    def __init__(
        self,
        namenodes: Sequence[NameNodeLine],
        description: NodeDescription,
        store: BlockStore,
        settings: DataNodeSettings,
        obey: Obey,
        joined: Callable[[], None] = lambda: None,
    ) -> None:
        self._obedience = Obedience(store.volumes)
        self._joined = joined
        # All that follows is told of under it.
        self._changed = threading.Condition()
        self._has_joined = False
        self._stopping = False
        self._all: List[Duties] = [
            Duties(namenode, description, store, settings, self._obedience, obey, self._heard)
            for namenode in namenodes
        ]
        self._leader: Optional[Duties] = self._all[0] if len(self._all) == 1 else None

    def start(self) -> None:
        """Begin, in threads."""
        for duties in self._all:
            duties.start(len(self._all) > 1)

    def stop(self) -> None:
        """End; the threads notice after their current calls."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for duties in self._all:
            duties.stop()

    def await_registration(self) -> None:
        """Wait until the namenode that leads has accepted this datanode, and knows what is here.
        StartRefused when it is wanted by none."""
        patience_ends = None
        with self._changed:
            while not (self._stopping or any(one.leads and one.has_reported for one in self._all)):
                refusals = [one.refusal for one in self._all if one.refusal]
                if not refusals:
                    patience_ends = None
                    self._changed.wait()
                    continue
                now = time.monotonic()
                if patience_ends is None:
                    patience_ends = now + REFUSED_SECONDS
                if len(refusals) == len(self._all) or now >= patience_ends:
                    raise StartRefused(refusals[0])
                self._changed.wait(patience_ends - now)

    def tell(self, kind: str, blocks: Iterable[Told]) -> None:
        """Tell of replicas RECEIVED, DELETED, found CORRUPT or VERIFIED; return when the namenode
        that leads has heard it, or cannot be told now: then it hears it before the next beat."""
        told, leader = tuple(blocks), self._leader
        for duties in self._all:
            if duties is not leader:
                duties.note(kind, told)
        if leader is not None:
            leader.tell(kind, told)

    def note(self, kind: str, blocks: Iterable[Told]) -> None:
        """Have that be told soon, with whatever is told next."""
        told = tuple(blocks)
        for duties in self._all:
            duties.note(kind, told)

    def tell_failure(self, block: Block, unreached: Iterable[str] = ()) -> None:
        """An ordered copy of a block was not made, as these datanodes could not be reached."""
        leader = self._leader
        if leader is not None:
            leader.tell_failure(block, unreached)

    def removal(self) -> ContextManager[None]:
        """While replicas are removed by an order; its end is noted before this ends."""
        return self._obedience.removal()

    @property
    def obeys_new_epoch(self) -> bool:
        """Whether the namenode that commands has begun its epoch just now."""
        return self._obedience.is_new

    def report_again(self) -> None:
        """Something is not as the namenodes know it: full reports go out."""
        for duties in self._all:
            duties.report_again()

    def _heard(self, duties: Duties) -> None:
        """A namenode has said something, in the thread that attends to it."""
        with self._changed:
            before = self._leader
            if duties.leads:
                self._leader = duties
            elif before is duties and len(self._all) > 1:
                self._leader = None
            if duties.session and not self._has_joined:
                self._has_joined = True
                self._joined()
            self._changed.notify_all()
        if duties.leads and before is not None and before is not duties:
            before.interrupt()

    def __repr__(self) -> str:
        return f"<Actor of {self._all}>"
