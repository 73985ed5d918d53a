"""Full block reports to one namenode: when the next one is due, and how it is sent.

Theory of operation. The first part of a report is empty, and the list is made after its answer:
what is told of single replicas from then on is newer than the list, and the namenode knows it. It
takes each part in when it comes. So a part that was not answered is sent again, and not those
before it: a namenode that is slow would never hear the end.
"""

import threading
import time
from typing import Callable, Iterable, Optional, Sequence

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, pack_blocks
from data_service.protocol.datanode_reports import DataNodeReports
from zookeeper.fabric.errors import Unavailable

REPORT_BLOCKS = 1_000
"""Blocks in one part of a full report: so many the namenode takes in within some 10 ms."""


class FullReport:
    """One is due when it is asked for, when a volume has failed since the last one, and after
    `period_seconds`. Any thread may ask; the rest belongs to the actor's thread."""

    def __init__(self, store: BlockStore, period_seconds: float) -> None:
        self._store = store
        self._period = period_seconds
        # What is asked while one runs asks for another.
        self._asked = threading.Event()
        self._due_at = 0.0
        self._failed_volumes = 0
        self._sending: Optional[_Sending] = None

    def ask(self) -> None:
        """Something is not as the namenode knows it."""
        self._asked.set()

    @property
    def is_due(self) -> bool:
        """Whether one should be sent now."""
        failed = self._failed_volumes != self._store.volumes.failed
        asked = self._sending is not None or self._asked.is_set()
        return failed or asked or time.monotonic() >= self._due_at

    def send(
        self,
        calls: DataNodeReports,
        session: int,
        tell_corrupt: Callable[[Iterable[Block]], None],
    ) -> None:
        """Report fully; what is damaged `tell_corrupt` tells, which must raise what prevents it.

        After any error it is due again: where no answer came, it goes on in the same session.
        """
        if self._sending is None or self._sending.session != session:
            # Before anything is listed: who asks from now on knows of something newer.
            self._asked.clear()
            self._sending = _Sending(session, self._store)
        sending = self._sending
        try:
            self._send_parts(calls, sending, tell_corrupt)
        except Unavailable:
            raise
        except BaseException:
            self._sending = None
            self._asked.set()
            raise
        self._sending = None
        self._failed_volumes = sending.failed_volumes
        self._due_at = time.monotonic() + self._period

    def _send_parts(
        self,
        calls: DataNodeReports,
        sending: "_Sending",
        tell_corrupt: Callable[[Iterable[Block]], None],
    ) -> None:
        name = (sending.session, sending.report_id)
        lists = sending.lists
        if not sending.next_part:
            calls.block_report(*name, 0, 1 + lists, b"")
            # Made now, and not before: see the module's description.
            sending.listed, corrupt, sending.digests = self._store.replicas.inventory()
            if corrupt:
                # Before the lists, so that the namenode never takes these replicas for gone.
                tell_corrupt(corrupt)
            sending.next_part = 1
        while sending.next_part <= lists:
            part = slice(sending.next_part - 1, None, lists)
            payload, digests = pack_blocks(sending.listed[part]), b"".join(sending.digests[part])
            calls.block_report(*name, sending.next_part, 1 + lists, payload, digests)
            sending.next_part += 1

    def __repr__(self) -> str:
        return f"<FullReport {'is' if self.is_due else 'is not'} due>"


class _Sending:
    """A report that is under way: `next_part` is the first that was not answered."""

    def __init__(self, session: int, store: BlockStore) -> None:
        self.session = session
        self.report_id = time.monotonic_ns()
        self.failed_volumes = store.volumes.failed
        self.lists = max(1, -(-len(store.replicas) // REPORT_BLOCKS))
        self.listed: Sequence[Block] = ()
        self.digests: Sequence[bytes] = ()
        self.next_part = 0

    def __repr__(self) -> str:
        return f"<_Sending report {self.report_id}, part {self.next_part} of {self.lists}>"
