"""A namenode that stands by: it loads the image and follows the record, in virtual time."""

from math import inf
from typing import Any, Callable, Dict, List, Optional, Set

from data_service.namenode.leading.following import digest_behind
from data_service.namenode.namespace.retries import ENTRIES_MAX
from metadata_service.edits import TABLES, Edit, decode, split_lines
from metadata_service.quorum import Export, MemberStatus, Tail
from tests.simulation.model_core import TICK_SECONDS, ModelCore
from tests.simulation.durable_record import DurableRecord
from tests.simulation.network import Network
from tests.simulation.quorum.model_disk import digest_of
from tests.simulation.world import Process, Script
from zookeeper.fabric.errors import CorruptData, DfsError, OutOfStep, Unavailable

LOOK_SECONDS = 0.3
PAUSE_SECONDS = 0.5
CALL_SECONDS = 1.2
PAGE = 40


class ModelReader:
    """As `leading/record_reader.py`: it reads from one of the `members`, or from the next one."""

    def __init__(self, process: Process, network: Network, members: List[str]) -> None:
        self._process, self._network, self._members = process, network, members
        self._turn = 0
        self._short: Set[int] = set()

    def ask(self, method: str, *args: Any) -> Any:
        """One call of the member whose turn it is."""
        return self._ask_at(self._members[self._turn], method, *args)

    def _ask_at(self, member: str, method: str, *args: Any) -> Any:
        return self._network.call(self._process, member, method, *args, timeout=CALL_SECONDS)

    def turn(self) -> None:
        """Ask the next member from now on."""
        self._turn = (self._turn + 1) % len(self._members)

    def load(self) -> Script:
        """A core with all that the first member has applied that can tell it."""
        trouble: Optional[DfsError] = None
        for _ in self._members:
            try:
                return (yield from self._load())
            except DfsError as error:
                if not (error.retryable or isinstance(error, CorruptData)):
                    raise
                self.turn()
                trouble = error if trouble is None or error.retryable else trouble
        assert trouble is not None, "there are members"
        raise trouble

    def _load(self) -> Script:
        status: MemberStatus = yield self.ask("status")
        if not status.cluster_id:
            yield from self._require_new()
        core = ModelCore(status.cluster_id, self._process.world.random)
        export: Export = yield self.ask("begin_export")
        rows: List[tuple] = []
        while len(rows) < export.rows[0][1]:
            rows += yield self.ask("load", export.export_id, len(rows))
        last_txid = export.applied.txid
        edits = yield from self._recent(status, last_txid)
        self._require_digest(rows, (yield self.ask("end_export", export.export_id)))
        tables: Dict[str, List[tuple]] = {name: [] for name in TABLES}
        for name, row in rows:
            tables[name].append(row)
        core.state.load(tables, edits, last_txid)
        core.digest = export.applied.digest
        return core

    def _require_digest(self, rows: List[tuple], digest: str) -> None:
        if digest_of(rows) != digest:
            raise CorruptData("the image is not what the member has")

    def _require_new(self) -> Script:
        """Raises Unavailable when only the member that is asked now has no record yet."""
        for member in self._members:
            try:
                status = yield self._ask_at(member, "status")
            except DfsError:
                continue
            if status.cluster_id:
                raise Unavailable("another member has a record")

    def _recent(self, status: MemberStatus, last_txid: int) -> Script:
        kept_behind = status.first_txid - 1 if status.first_txid else last_txid
        after = max(last_txid - ENTRIES_MAX, kept_behind)
        edits: List[Edit] = []
        while after < last_txid:
            tail: Tail = yield self.ask("tail", after, PAGE)
            lines = split_lines(tail.payload)
            if not lines:
                break
            edits += map(decode, lines)
            after += len(lines)
        return [edit for edit in edits if edit.txid <= last_txid]

    def behind(self, txid: int) -> Script:
        """The next edits behind this one that the member knows as decided."""
        tail = yield from self.tail(txid)
        if not tail.behind:
            self._short.clear()
            return split_lines(tail.payload)
        if tail.decided >= txid:
            raise OutOfStep(f"the record keeps no edits behind {txid} any more")
        if (yield self.ask("status")).last.txid < txid:
            self._short.add(self._turn)
        if 2 * len(self._short) > len(self._members):
            raise OutOfStep(f"the record ends before edit {txid}, which was followed")
        raise Unavailable(f"the member does not know of edit {txid} yet")

    def recorded(self, txid: int) -> Script:
        """Some of the edits behind this one, of the first member that has any."""
        trouble: DfsError = Unavailable(f"no member has told of an edit behind {txid}")
        for _ in self._members:
            try:
                lines = yield from self.behind(txid)
                if lines:
                    return lines
            except (Unavailable, OutOfStep) as error:
                trouble = error
            self.turn()
        raise trouble

    def tail(self, txid: int) -> Script:
        """What the member tells; Unavailable when it is damaged and others are not."""
        try:
            return (yield self.ask("tail", txid, PAGE))
        except CorruptData as error:
            if len(self._members) == 1:
                raise
            raise Unavailable(f"a member is damaged: {error.message}") from error


class ModelFollowing:
    """As `leading/following.py`: `told` hears None when it follows, and what ended it."""

    def __init__(
        self, process: Process, reader: ModelReader, core: Optional[ModelCore],
        told: Callable[[Optional[DfsError]], None], record: DurableRecord,
    ) -> None:  # fmt: skip
        self._process, self._reader = process, reader
        self.core = core
        self._told = told
        self._record = record
        self.level_at = -inf
        """When it last had all that the member knew as decided, by the process's clock."""
        self._next_round = -inf
        self._stopped = False

    def stop(self) -> Optional[ModelCore]:
        """It changes nothing any more; what is in memory."""
        self._stopped = True
        return self.core

    def run(self) -> Script:
        """Load, and follow until it is stopped, or cannot go on."""
        try:
            if self.core is None:
                core = yield from self._reader.load()
                core.state.blocks.loaded(self._process.clock())
                self.core = core
            if not self._stopped:
                self._audit(self.core)
                self._told(None)
            while not self._stopped:
                yield self._process.world.sleep(LOOK_SECONDS)
                yield from self._step(self.core)
        except DfsError as error:
            self.core = None
            if not self._stopped:
                self._told(error)

    def _step(self, core: ModelCore) -> Script:
        try:
            if not core.cluster_id and (yield self._reader.ask("status")).cluster_id:
                raise OutOfStep("the record of a new cluster has begun: it is loaded")
            lines = yield from self._reader.behind(core.state.commits.last_txid)
        except DfsError as error:
            if not error.retryable:
                raise
            self._reader.turn()
            yield self._process.world.sleep(PAUSE_SECONDS)
            return
        if not self._stopped:
            core.digest = digest_behind(core.digest, lines)
            core.state.replay([decode(line) for line in lines])
            self._keep_time(core, len(lines) < PAGE)
            if lines:
                self._audit(core)

    def _keep_time(self, core: ModelCore, level: bool) -> None:
        now = self._process.clock()
        if level:
            self.level_at = now
        if now >= self._next_round:
            self._next_round = now + TICK_SECONDS
            core.state.commits.retries.tick(now)
            for event in core.state.blocks.monitor.tick(now, self._process.world.random):
                self._process.world.note(f"{self._process.name}: {event.name} {event.fields}")

    def _audit(self, core: ModelCore) -> None:
        state = core.state
        self._record.require_followed(
            self._process.name, state.commits.last_txid, state.image.rows())
