"""What clients asked and were told, and whether one order of events explains it all.

The durable log of edits is that order. Every acknowledged change must be one edit in it, made and
durable between the question and the answer; every other answer (a read, a refusal, a change with
nothing to do) must be true of the tree as it stood after some edit of that time. Whoever asks after
an answer came must not be told of an older tree: so nothing acknowledged is lost, nothing deleted
comes back, and what is indeterminate does not flicker.
"""

from typing import Any, Container, Dict, List, NamedTuple, Optional, Set, Tuple

from metadata_service.edits import TABLES, Edit
from tests.simulation.violation import Violation, demand
from tests.simulation.plain_tree import View, after, is_true, view_of
from tests.simulation.durable_record import DurableRecord
from tests.simulation.quorum.model_disk import Tables
from zookeeper.fabric.errors import DiskFull, NotADirectory, PathExists

Op = Tuple[str, int]

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


class Record:
    """One operation of a client; `outcome` is None while it runs, UNKNOWN when nobody knows."""

    def __init__(self, kind: str, args: tuple, op: Optional[Op], began: int) -> None:
        self.kind = kind
        self.args = args
        self.op = op
        self.began = began
        self.ended = -1
        self.newest_txid = 0
        self.sends = 0
        self.outcome: Optional[str] = None
        self.result: Any = None

    def __repr__(self) -> str:
        return f"<{self.kind}{self.args} {self.op}: {self.outcome} {self.result}>"


class Moment(NamedTuple):
    """When a record ended, and the newest edit that is known to come before whatever follows."""

    ended: int
    txid: int


class History:
    """All records of a run, in the order in which they ended."""

    def __init__(self, record: DurableRecord, repeated: Container[Op]) -> None:
        """`repeated` tells operations that may run again after they were answered."""
        self._record = record
        self.repeated = repeated
        self._step = 0
        self.all: List[Record] = []
        self.ended: List[Record] = []
        self.contents: Dict[int, str] = {}
        """What was written into each block, by its number."""
        self.presented: Dict[Op, Tuple[int, ...]] = {}
        """The new blocks of the file that an operation completes or flushes."""
        self.promised: Set[str] = set()
        """The names on the way to files that were created, and that nobody may move there."""

    def begin(self, kind: str, *args: Any, op: Optional[Op] = None) -> Record:
        """A client asks."""
        self._step += 1
        record = Record(kind, args, op, self._step)
        self.all.append(record)
        return record

    def end(self, record: Record, outcome: str, result: Any = None) -> None:
        """A client was answered, or gave up. An acknowledged change is durable by now."""
        self._step += 1
        record.ended, record.outcome, record.result = self._step, outcome, result
        record.newest_txid = self._record.last_txid
        self.ended.append(record)

    def check(self) -> Tables:
        """Explain every answer by the log; the tables that the log makes."""
        return _Explanation(self, self._record.edits).check()


class _Explanation:
    """The log replayed on rows, with a plain tree after each edit."""

    def __init__(self, history: History, edits: List[Edit]) -> None:
        self._history = history
        self._edits = edits
        self._tables: Tables = {name: {} for name in TABLES}
        self._views: List[View] = [{}]
        self._txids: Dict[Op, int] = {}
        self._moments: List[Moment] = [Moment(0, 0)]
        self._records = {record.op: record for record in history.all if record.op is not None}

    def check(self) -> Tables:
        """All of it."""
        for edit in self._edits:
            self._replay(edit)
        for record in self._history.ended:
            self._explain(record)
        return self._tables

    def _replay(self, edit: Edit) -> None:
        """One edit: it must do to the plain tree what the operation says, and nothing else."""
        before = self._views[-1]
        for table, key, row in edit.changes:
            if row is None:
                self._tables[table].pop(key, None)
            else:
                self._tables[table][key] = row
        touched = any(table == "inodes" for table, _, _ in edit.changes)
        now = view_of(self._tables) if touched else before
        self._views.append(now)
        if not edit.client_id:
            demand(now == before, edit, "changed the tree by itself")
            return
        op = (edit.client_id, edit.call_number)
        demand(op not in self._txids, op, "took effect twice:", edit)
        self._txids[op] = edit.txid
        record = self._records.get(op)
        demand(record is not None, "nobody asked for", edit)
        self._compare(record, edit, before, now)

    def _compare(self, record: Record, edit: Edit, before: View, now: View) -> None:
        if record.kind == "append":
            self._compare_append(record, before, now)
            return
        if record.kind == "complete":
            gained = {path: node for path, node in now.items() if before.get(path) != node}
            files = [path for path, node in gained.items() if node[0] == "f"]
            demand(len(files) == 1, record, "made", gained)
            content = now[files[0]][3]
            demand(content == self._history.presented[record.op], record, "has blocks", content)
            demand(all(files[0].startswith(path) for path in gained), record, "made", gained)
            demand(before.keys() <= now.keys(), record, "removed entries")
            renamed = any(e.operation == "rename" for e in self._edits[: edit.txid])
            demand(renamed or files[0] == record.args[0], record, "appeared at", files[0])
            return
        result, model = after(before, record.kind, *record.args)
        demand(not isinstance(result, type), record, "should have been refused by", result)
        demand(model == now, record, "made", now, "of", before)

    def _compare_append(self, record: Record, before: View, now: View) -> None:
        """One file has its new blocks behind the old ones, and nothing else is different."""
        new = self._history.presented[record.op]
        grown = {path: node for path, node in now.items() if before.get(path) != node}
        demand(before.keys() == now.keys(), record, "made or removed entries")
        demand(len(grown) <= 1 and bool(grown) == bool(new), record, "changed", grown)
        for path, node in grown.items():
            expected = (*before[path][:3], before[path][3] + new)
            demand(node == expected, record, "made", node, "of", before[path])

    def _explain(self, record: Record) -> None:
        """Find the earliest state of the log at which the answer is true."""
        least = self._known_at(record.began)
        txid = self._txids.get(record.op) if record.op is not None else None
        if record.outcome == UNKNOWN:
            return
        if txid is not None:
            # A call that was refused may have another request on its way, which is not refused.
            once = record.sends == 1 and record.op not in self._history.repeated
            demand(record.outcome == OK or not once, record, "was refused, and has edit", txid)
            if record.outcome == OK:
                demand(least < txid <= record.newest_txid, record, "is edit", txid, "not within",
                       least, "and", record.newest_txid)
                told = True if record.kind == "delete" else record.result
                demand(record.result == told, record, "was answered so by edit", txid)
                self._learn(record, txid)
            return
        if record.kind in ("complete", "append"):
            demand(record.outcome != OK, record, "is lost")
            return
        if self._is_refused_for_a_writer(record) or record.result is DiskFull:
            return  # Of the disks of the members no tree tells; `acts.py` looks at them.
        for witness in range(least, record.newest_txid + 1):
            if is_true(record, self._views[witness], self._history.contents):
                self._learn(record, witness)
                return
        raise Violation(f"{record} was never true between edits {least} and {record.newest_txid}:"
                        f" {[self._views[t] for t in range(least, record.newest_txid + 1)]}")

    def _is_refused_for_a_writer(self, record: Record) -> bool:
        """Whether somebody may write where an entry was to be made: no tree tells of it."""
        promised = self._history.promised
        if record.kind == "rename" and record.result is PathExists:
            return record.args[1].rpartition("/")[2] in promised
        if record.kind == "mkdir" and record.result is NotADirectory:
            return not promised.isdisjoint(record.args[0].split("/")[1:])
        return False

    def _learn(self, record: Record, txid: int) -> None:
        self._moments.append(Moment(record.ended, max(txid, self._moments[-1].txid)))

    def _known_at(self, step: int) -> int:
        """The newest edit that was revealed by answers which came before this step."""
        low, high = 0, len(self._moments)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._moments[middle].ended < step else (low, middle)
        return self._moments[low].txid
