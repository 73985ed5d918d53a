"""Full reports of datanodes: all that one has, taken in bit by bit.

Theory of operation. A report comes in parts, and each is applied when it comes, in slices: a
million replicas at once would stall every other call for ten seconds. What the report does not list
is settled behind its last part, in slices too; only then does the node count as reported. A part
that is repeated changes nothing, so a datanode that got no answer goes on from there; one that is
missing, out of order or of an older report is refused (HDFS-10301, HDFS-7960), and a refusal is an
error, never silence (HDFS-12914).

A datanode sends the first part empty and makes its list only after the answer; so whatever it says
incrementally after that answer is newer than the list, and the report is silent about those ids.
Absence from the list means that the replica is gone from that node, which removes knowledge and
never orders a deletion.
"""

from typing import List, Sequence

from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.block_reports import BlockReports
from data_service.namenode.replicas.events import Events
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.open_blocks import OpenBlocks
from data_service.namenode.replicas.open_report import OpenReport
from data_service.protocol.blocks import Told
from zookeeper.fabric.errors import ProtocolViolation

PARTS_MAX = 10_000
BLOCKS_MAX = 10_000_000
"""The most parts, and replicas, of one full report: what it lists is kept until its end."""

SLICE_BLOCKS = 150
"""Replicas that are judged at once: some 2 ms, and twice as much with cold caches."""
SLICE_ROWS = 500
SLICES_OF_ROWS = 12
"""So many times rows of the block map are looked at for what is absent, fewer when much is."""


class FullReports:
    """Takes the parts, and has each replica judged by `reports`."""

    def __init__(
        self, blocks: BlockMap, opened: OpenBlocks, reports: BlockReports, events: Events
    ) -> None:
        self._blocks = blocks
        self._opened = opened
        self._reports = reports
        self._events = events

    def part(
        self, node: Node, report_id: int, part: int, parts: int, blocks: Sequence[Told], now: float
    ) -> bool:
        """Take in a slice of one part: True when nothing of it is left, also of a repeated one.
        Until then it is to be called again, with the same.

        Report ids grow within a session. Raises ProtocolViolation when the report cannot be
        continued: the node begins a new one.
        """
        if not 0 <= part < parts <= PARTS_MAX:
            raise ProtocolViolation(f"part {part} of {parts} of a block report")
        if report_id == node.last_report_id:
            return True
        report = self._report(node, report_id, parts)
        if part < report.next_part:
            return True
        if part > report.next_part:
            raise ProtocolViolation(f"part {part} of block report {report_id} came before part "
                                    f"{report.next_part}; begin a new report")
        if len(report) + len(blocks) > BLOCKS_MAX:
            node.report = None
            raise ProtocolViolation(f"a block report of more than {BLOCKS_MAX} replicas")
        if report.taken < len(blocks):
            self._take(node, report, blocks, now)
        if report.taken < len(blocks):
            return False
        if part + 1 < parts:
            report.begin_next_part()
            return True
        return self._settle(node, report, now)

    def _report(self, node: Node, report_id: int, parts: int) -> OpenReport:
        report = node.report
        newest = node.last_report_id if report is None else report.report_id
        if report_id < newest:
            raise ProtocolViolation(f"block report {report_id} was overtaken by {newest}")
        if report is None or report_id > report.report_id:
            report = node.report = OpenReport(report_id, parts)
        if parts != report.parts:
            raise ProtocolViolation(f"block report {report_id} has {report.parts} parts, "
                                    f"not {parts}; begin a new report")
        return report

    def _take(self, node: Node, report: OpenReport, blocks: Sequence[Told], now: float) -> None:
        for block in blocks[report.taken : report.taken + SLICE_BLOCKS]:
            if not self._reports.remembers(node, block.block_id):
                report.passed_over += 1
                continue
            # Of two generations the later counts, whatever the order.
            if report.list(block) and block.block_id not in report.touched:
                self._reports.has(node, block, now, True)
        report.taken += SLICE_BLOCKS

    def _settle(self, node: Node, report: OpenReport, now: float) -> bool:
        """Some of what the report does not list is gone from the node; whether that was all.

        Replicas that do not count come first: they could become good ones meanwhile, in rows that
        were looked at already.
        """
        if report.doubtful is None:
            report.doubtful = self._doubtful(node)
        for block_id in report.doubtful[-SLICE_BLOCKS:]:
            if block_id not in report:
                self._reports.lacks(node, block_id)
        del report.doubtful[-SLICE_BLOCKS:]
        if not report.doubtful:
            self._look_at_rows(node, report)
        if report.doubtful or report.next_row < self._blocks.rows:
            return False
        node.report = None
        node.last_report_id = report.report_id
        node.last_report = now
        node.reported = True
        self._events.note("report.applied", node=node.info.node_id, blocks=len(report),
                          absent=report.absent)
        if report.passed_over:
            self._events.note("report.too_much_unknown", node=node.info.node_id,
                              passed_over=report.passed_over)
        return True

    def _doubtful(self, node: Node) -> List[int]:
        """The blocks of which the node may have a replica that is no good one."""
        marked = [block_id for block_id, marks in self._blocks.marks.items() if node in marks]
        return marked + node.outbox.ids() + list(node.unknown) + list(self._opened)

    def _look_at_rows(self, node: Node, report: OpenReport) -> None:
        before = report.absent
        for _ in range(SLICES_OF_ROWS):
            end = report.next_row + SLICE_ROWS
            absent = [block_id for block_id in self._blocks.held_by(node, report.next_row, end)
                      if block_id not in report]
            for block_id in absent:
                self._blocks.drop(block_id, node)
            report.next_row = end
            report.absent += len(absent)
            if report.absent - before >= SLICE_BLOCKS:
                break
