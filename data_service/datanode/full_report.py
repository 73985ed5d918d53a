"""Full block reports to one namenode: when the next one is due, and how it is sent.

Theory of operation. The first part of a report is empty, and the list is made after its answer:
what is told of single replicas from then on is newer than the list, and the namenode knows it.
"""

import threading
import time
from typing import Callable, Iterable

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, pack_blocks
from data_service.protocol.namenode_calls import DataNodeReports

REPORT_BLOCKS = 10_000
"""Blocks in one part of a full report: 240 KB, well below the limit of a frame."""


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

    def ask(self) -> None:
        """Something is not as the namenode knows it."""
        self._asked.set()

    @property
    def is_due(self) -> bool:
        """Whether one should be sent now."""
        failed = self._failed_volumes != self._store.volumes.failed
        return failed or self._asked.is_set() or time.monotonic() >= self._due_at

    def send(
        self,
        calls: DataNodeReports,
        session: int,
        tell_corrupt: Callable[[Iterable[Block]], None],
    ) -> None:
        """Report fully; what is damaged `tell_corrupt` tells, which must raise what prevents it.

        After any error it is due again.
        """
        # Before anything is listed: who asks from now on knows of something newer.
        self._asked.clear()
        failed = self._store.volumes.failed
        try:
            self._send_parts(calls, session, tell_corrupt)
        except BaseException:
            self._asked.set()
            raise
        self._failed_volumes = failed
        self._due_at = time.monotonic() + self._period

    def _send_parts(
        self,
        calls: DataNodeReports,
        session: int,
        tell_corrupt: Callable[[Iterable[Block]], None],
    ) -> None:
        report_id = time.monotonic_ns()
        lists = max(1, -(-len(self._store.replicas) // REPORT_BLOCKS))
        calls.block_report(session, report_id, 0, 1 + lists, b"")
        # Made now, and not before: see the module's description.
        good, corrupt = self._store.replicas.inventory()
        if corrupt:
            # Before the lists, so that the namenode never takes these replicas for gone.
            tell_corrupt(corrupt)
        for number in range(lists):
            payload = pack_blocks(good[number::lists])
            calls.block_report(session, report_id, 1 + number, 1 + lists, payload)

    def __repr__(self) -> str:
        return f"<FullReport {'is' if self.is_due else 'is not'} due>"
