"""What happened to single replicas, on its way to one namenode: in order, and nothing lost.

Theory of operation. Of each block only the last change is kept, since it replaces those before
(HDFS-16922: an old one was sent after a newer one). One thread sends everything that waits in one
call, and the others whose changes are in it wait for that call: two calls side by side could
overtake each other. What could not be told is kept for the next time; when it becomes too much, a
full report is to say it instead.
"""

import threading
from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

from data_service.protocol.blocks import Told

RECEIVED, DELETED, CORRUPT, VERIFIED = "received", "deleted", "corrupt", "verified"

CHANGES_MAX = 10_000
"""Changes in one call: a fraction of what a frame may hold."""

KEPT_MAX = 100_000
"""Changes that are kept: some 20 MB. A namenode that is away for days must cost no more
(HDFS-17953)."""

Changes = Dict[str, List[Told]]


class _Change(NamedTuple):
    kind: str
    block: Told
    number: int


class IncrementalReport:
    """Changes that wait to be told. `send` gets them by kind; each id is in one list only. When
    there are too many they are dropped, and `overflow` must see to a full report in a new session.
    """

    def __init__(self, send: Callable[[Changes], None], overflow: Callable[[], None]) -> None:
        self._send = send
        self._overflow = overflow
        self._condition = threading.Condition()
        self._untold: Dict[int, _Change] = {}
        self._last = 0
        self._sending = False
        self._failures = 0

    def add(self, kind: str, blocks: Iterable[Told]) -> None:
        """Note a change of each of these blocks."""
        with self._condition:
            for block in blocks:
                self._last += 1
                # Taken out first, so that the table stays in the order of the numbers.
                self._untold.pop(block.block_id, None)
                self._untold[block.block_id] = _Change(kind, block, self._last)
            dropped = len(self._untold) > KEPT_MAX
            if dropped:
                self._untold.clear()
        if dropped:
            self._overflow()

    def tell(self) -> bool:
        """Tell all that was noted before; raises what `send` raised.

        False when another thread tried at that time and failed: its error is told there.
        """
        with self._condition:
            goal, failures = self._last, self._failures
        while True:
            with self._condition:
                while self._sending and self._failures == failures and self._waits(goal):
                    self._condition.wait()
                if self._failures != failures:
                    return False
                if not self._waits(goal):
                    return True
                told = list(islice(self._untold.values(), CHANGES_MAX))
                self._sending = True
            self._send_batch(told)

    def __len__(self) -> int:
        return len(self._untold)

    def __repr__(self) -> str:
        return f"<IncrementalReport {len(self._untold)} untold>"

    def _waits(self, goal: int) -> bool:
        oldest = next(iter(self._untold.values()), None)
        return oldest is not None and oldest.number <= goal

    def _send_batch(self, told: List[_Change]) -> None:
        succeeded = False
        try:
            self._send(_by_kind(told))
            succeeded = True
        finally:
            with self._condition:
                self._sending = False
                self._failures += not succeeded
                for change in told if succeeded else ():
                    if self._untold.get(change.block.block_id) is change:
                        del self._untold[change.block.block_id]
                self._condition.notify_all()


def _by_kind(changes: Iterable[_Change]) -> Changes:
    sorted_out: Changes = {RECEIVED: [], DELETED: [], CORRUPT: [], VERIFIED: []}
    for change in changes:
        sorted_out[change.kind].append(change.block)
    return sorted_out


def as_arguments(changes: Changes) -> Tuple[Any, ...]:
    """The lists in the order of the namenode's `block_changes`, where a digest that is not asked
    for is passed over, and one that is not told is empty."""
    return tuple(tuple(changes[kind]) for kind in (RECEIVED, DELETED, CORRUPT, VERIFIED))
