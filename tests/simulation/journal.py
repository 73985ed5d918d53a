"""The namenode's journal in virtual time: what `metadata_service/journal.py` does with threads.

Edits are queued in the order of their making. Whoever waits for one has everything sent that is
queued, in one append at a time; one that fails for the moment is repeated until the time is up.
"""

from typing import Any, Callable, List, Optional, Tuple

from metadata_service.edits import TABLES, Edit, Row, decode, encode
from tests.simulation.network import Network
from tests.simulation.services import METADATA
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import DeadlineExceeded, DfsError, Fenced, NotLeader, Unavailable

APPEND_SECONDS = 4.0
ATTEMPT_SECONDS = 1.2
PAGE = 40
RECENT_EDITS = 2000


class ModelJournal:
    """One namenode's right to write edits, from `open` until it fails."""

    def __init__(self, process: Process, network: Network, on_failure: Callable[[], None]) -> None:
        self._process = process
        self._network = network
        self._on_failure = on_failure
        self._changed = Bell(process.world)
        self._pending: List[str] = []
        self._sending = False
        self.last_txid = 0
        self.durable_txid = 0
        self.epoch = 0
        self.cluster_id = ""
        self.failure: Optional[DfsError] = None

    def open(self) -> Script:
        """Claim a new epoch. Raises Unavailable, Fenced."""
        self.epoch = yield from self._ask("claim_epoch")
        self.cluster_id, _, last_txid = yield from self.confirm()
        self.last_txid = self.durable_txid = last_txid

    def confirm(self) -> Script:
        """The service's status, if no newer epoch was claimed since; raises Fenced otherwise."""
        status = yield from self._ask("status")
        self._require_epoch(status)
        return status

    def prove(self, timeout: float) -> Script:
        """Ask once whether this epoch still is the newest; raises Fenced or Unavailable."""
        self._require_epoch((yield self._call("status", timeout=timeout)))

    def load(self) -> Script:
        """(rows of each table by its name, the newest edits), page by page."""
        tables = {}
        for name in TABLES:
            rows: List[Row] = []
            page: Tuple[Row, ...] = (yield from self._ask("load", name, None, PAGE))
            while page:
                rows += page
                page = yield from self._ask("load", name, rows[-1][0], PAGE)
            tables[name] = rows
        edits: List[Edit] = []
        after = max(self.durable_txid - RECENT_EDITS, 0)
        while after < self.durable_txid:
            lines = yield from self._ask("edits_since", after, PAGE * 10)
            edits += map(decode, lines)
            after += len(lines)
        return tables, edits

    def check_open(self) -> None:
        """Raises NotLeader when no change may be made any more."""
        if self.failure is not None:
            raise NotLeader("the journal takes no edits")

    def submit(self, edit: Edit) -> None:
        """Queue an edit."""
        self.last_txid += 1
        assert edit.txid == self.last_txid, f"{edit} is not number {self.last_txid}"
        if self.failure is None:
            self._pending.append(encode(edit))

    def wait(self, txid: int) -> Script:
        """Return when edit `txid` is durable; raises Unavailable, DeadlineExceeded."""
        deadline = self._process.clock() + APPEND_SECONDS
        while self.durable_txid < txid:
            if self.failure is not None:
                raise Unavailable("the change may be lost")
            left = deadline - self._process.clock()
            if left <= 0:
                raise DeadlineExceeded("the change was not recorded in time; it may be later")
            if not self._sending:
                self._sending = True
                self._process.spawn(self._send())
            yield self._changed.wait(left)

    def close(self) -> None:
        """Take no more edits."""
        self.failure = self.failure or Unavailable("the journal has been closed")
        self._changed.ring()

    def _send(self) -> Script:
        """Append until nothing is pending, or for ever fail."""
        failing_since: Optional[float] = None
        while self._pending and self.failure is None:
            batch = tuple(self._pending)
            started = self._process.clock()
            try:
                durable = yield self._call("append", self.epoch, self.durable_txid + 1, batch)
            except DfsError as error:
                failing_since = started if failing_since is None else failing_since
                late = self._process.clock() - failing_since >= APPEND_SECONDS
                if late or not error.retryable:
                    self._fail(error)
                yield self._process.world.sleep(0.05)
                continue
            failing_since = None
            del self._pending[: durable - self.durable_txid]
            self.durable_txid = durable
            self._changed.ring()
        self._sending = False

    def _fail(self, error: DfsError) -> None:
        if self.failure is None:
            self.failure = error
            self._process.world.note(f"{self._process.name} journal failed: {error.code}")
            self._changed.ring()
            self._on_failure()

    def _require_epoch(self, status: tuple) -> None:
        if status[1] != self.epoch:
            raise Fenced(f"epoch {self.epoch} is over, {status[1]} has been claimed")

    def _call(self, method: str, *args: Any, timeout: float = ATTEMPT_SECONDS) -> Any:
        return self._network.call(self._process, METADATA, method, *args, timeout=timeout)

    def _ask(self, method: str, *args: Any) -> Script:
        """A call that is repeated until it is answered or the time is over."""
        deadline = self._process.clock() + APPEND_SECONDS
        while True:
            try:
                return (yield self._call(method, *args))
            except DfsError as error:
                if not error.retryable or self._process.clock() >= deadline:
                    raise
            yield self._process.world.sleep(0.1)
