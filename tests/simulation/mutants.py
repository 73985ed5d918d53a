"""Planted defects, one for each rule that once cost somebody data: the simulation must see each.

A mutant replaces one method, of a core or of a model that stands for the code around it.
"""

from random import Random
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from data_service.namenode.decisions import Decided, Decisions, Operation
from data_service.namenode.leading.leader_lease import LeaderLease
from data_service.namenode.leading.unheard import Unheard
from data_service.namenode.namespace.commits import Commits
from data_service.namenode.namespace.retries import Answer, Op, RetryCache
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.replicas.deletion import Deletions
from data_service.namenode.replicas.full_reports import FullReports
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.open_report import OpenReport
from data_service.namenode.replicas.replication import Replication
from data_service.namenode.replicas.verification import Verifications
from data_service.namenode.writers.open_files import OpenFiles
from data_service.protocol.blocks import Block
from metadata_service.edits import Edit, join_lines
from metadata_service.leader import recovery
from metadata_service.leader.append_queue import AppendQueue
from metadata_service.member.member_core import Change
from metadata_service.member.member_record import Record
from metadata_service.member.wishes import Wishes
from metadata_service.quorum import Configuration, MemberStatus, Tail
from tests.simulation.data_node import DataNode
from tests.simulation.duties import ModelDuties
from tests.simulation.following import ModelReader
from tests.simulation.quorum import member as member_module
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.term import ModelTerm
from tests.simulation.world import Script


class Patch(NamedTuple):
    """`owner.attribute` is replaced by `replacement`."""

    owner: Any
    attribute: str
    replacement: Any


class Mutant(NamedTuple):
    """Patches, and a part of the sentence by which the simulation shall complain, if any special.

    `seed` is one that did so when this was written: the search begins there.
    """

    complaint: str
    seed: int
    patches: Tuple[Patch, ...]

    def seeds(self) -> Iterable[int]:
        """The one that noticed it, and what comes after: a change elsewhere makes other runs."""
        return range(self.seed, self.seed + SEEDS)

    def notices(self, error: AssertionError) -> bool:
        """Whether it complains as expected."""
        return self.complaint in str(error.__cause__)


SEEDS = 600
"""How many seeds are tried, at most."""


_decide = Decisions.decide


def _answer_at_once(self: Decisions, operation: Operation, wall_ms: int) -> Decided:
    """The reply does not wait for the journal."""
    return _decide(self, operation, wall_ms)._replace(depends=0)


_plan = Replication.plan


def _count_what_is_ordered(self: Replication, now: float, random: Random) -> int:
    """A replica counts as soon as its copy is ordered, and not when it is confirmed."""
    planned = _plan(self, now, random)
    for block_id, copy in self._copies.items():
        for node in copy.targets:
            self._blocks.put(block_id, node)
    return planned


def _obey_anybody(self: DataNode, epoch: int) -> None:
    """A datanode does not mind the epoch."""
    self.epoch = epoch


def _counts_unless_dead(self: Node) -> bool:
    """A node that was not heard of for a while counts like all others."""
    return not self.dead


def _is_surplus(self: Deletions, block_id: int, victim: Node) -> bool:
    """So does one that has not reported since it registered (HDFS-1972)."""
    others = [node for node in self._blocks.holders(block_id) if node is not victim]
    return len(others) >= self._blocks.redundancy(block_id).targets


def _never_ask(
    _self: Verifications, _nodes: Iterable[Node], _block: Block, _wanted: int, _now: float
) -> int:
    """Nobody is asked to read what shall stay: mostly that alone prevents the harm."""
    return 0


def _settle_each_part(
    self: FullReports, node: Node, report_id: int, _part: int, parts: int,
    blocks: Sequence[Block], now: float,
) -> bool:  # fmt: skip
    """Every part of a full report is taken for the whole."""
    report = OpenReport(report_id, parts)
    self._take(node, report, blocks, now)
    while not self._settle(node, report, now):
        pass
    return True


def _order_at_once(_self: Decisions) -> int:
    """Deletions are ordered although their edits are not durable yet."""
    return 1 << 62


def _never_ended(_self: OpenFiles, _file_id: int) -> bool:
    """A writer may resume a file that was ended or completed."""
    return False


def _forgetful(_self: RetryCache, _op: Op) -> Optional[Answer]:
    """A repeated call runs again."""
    return None


def _keep_orders(_self: DataNode) -> None:
    """A datanode goes on with the orders of an earlier session."""


def _command_anyway(_self: ModelTerm) -> Script:
    """A namenode commands without a proof that it leads. A datanode that looks at the epoch does
    not mind; only with this does one come to obey an older namenode."""
    return
    yield


def _tell_undecided(self: MetadataMember, _source: str, txid: int, limit: int) -> Tail:
    """A member tells a standby all that it has stored."""
    record = self.core.record
    upto = min(record.last.txid, txid + limit)
    if upto < txid or record.base.txid > txid:
        return Tail(upto, b"", True)
    return Tail(upto, join_lines(self.disk.lines(txid, upto)), False)


def _forget_edit(_self: Commits, _edit: Edit) -> None:
    """Of what it follows a standby keeps only what became of it."""


def _take_for_recorded(_self: ModelTerm) -> bool:
    """Who ends a term goes on with what is in memory, recorded or not."""
    return True


def _apply_on(_self: MetadataMember) -> None:
    """A member goes on while its image is read."""


def _compare_nothing(_self: ModelReader, _rows: List[tuple], _digest: str) -> None:
    """An image is believed as it came."""


def _proved_anyway(_self: LeaderLease, _now: float) -> bool:
    """A proof of leadership lasts for ever."""
    return True


def _answer_anyway(_self: ModelTerm) -> Script:
    """A namenode that was suspended answers from its old memory."""
    return
    yield


def _take_silence_for_success(self: AppendQueue, *_: Any) -> None:
    """An append that was not answered is not repeated."""
    self.appended(self.last_txid, True)


_lead = Blocks.lead


def _lead_unacknowledged(self: Blocks, epoch: int, now: float) -> None:
    """Who takes over counts on every datanode that it has heard while it stood by."""
    _lead(self, epoch, now)
    for node in self._nodes:
        node.settled = node.session != 0


def _tell_who_leads(self: ModelDuties, kind: str, block: Block) -> None:
    """What is news for a namenode that stands by is dropped."""
    if self.leads:
        _add(self, kind, block)


_add = ModelDuties.add

_require_room = AppendQueue.require_room


def _take_anyway(self: AppendQueue) -> None:
    """A leader takes changes for which there is no room."""
    room, self.room = self.room, True
    _require_room(self)
    self.room = room


def _keep_nothing_beside(_before: Record, _change: Change) -> Optional[Record]:
    """What does not fit into a full disk is not kept elsewhere."""
    return None


def _take_all(_configuration: Configuration, _members: Any, log: MemberStatus) -> int:
    """Also what cannot have been decided is recorded, though there is no room for it."""
    return log.last.txid


def _stay(_self: Unheard, *_: Any) -> bool:
    """A leader does not mind that most datanodes hear another one."""
    return False


def _let_anybody_claim(_self: Wishes, _claimant: str, _now: float) -> None:
    """Members promise an epoch to whoever comes first, whatever is wished."""


MUTANTS: Dict[str, Mutant] = {
    "acknowledge before the journal is durable": Mutant(
        "", 0, (Patch(Decisions, "decide", _answer_at_once),)),
    "delete before the replacement is confirmed": Mutant(
        "", 3, (Patch(Replication, "plan", _count_what_is_ordered),)),
    "a datanode obeys an older epoch": Mutant(
        "obeys epoch", 4, (
            Patch(DataNode, "check_epoch", _obey_anybody),
            Patch(ModelTerm, "require_command", _command_anyway),
        )),
    "a standby follows what is not decided": Mutant(
        "and decided are only", 1, (Patch(MetadataMember, "exposed_tail", _tell_undecided),)),
    "a standby forgets what repeated calls were answered": Mutant(
        "took effect twice", 47, (Patch(Commits, "_remember_edit", _forget_edit),)),
    "hand over before the last edit is decided": Mutant(
        "", 1, (
            Patch(ModelTerm, "drain", _command_anyway),
            Patch(ModelTerm, "_is_recorded", _take_for_recorded),
        )),
    "an image is read while edits are applied, and not compared": Mutant(
        "than were decided", 5, (
            Patch(MetadataMember, "_pin", _apply_on),
            Patch(ModelReader, "_require_digest", _compare_nothing),
        )),
    "count stale replicas": Mutant(
        "removes Replica", 419, (
            Patch(Node, "replicas_count", property(_counts_unless_dead)),
            Patch(Node, "may_take_replicas", property(_counts_unless_dead)),
            Patch(Deletions, "_is_surplus", _is_surplus),
            Patch(Verifications, "sure", _never_ask),
        )),
    "apply half a block report": Mutant(
        "does not know Replica", 0, (Patch(FullReports, "part", _settle_each_part),)),
    "order deletions before they are durable": Mutant(
        "removes Replica", 0, (Patch(Decisions, "txid_for_orders", property(_order_at_once)),)),
    "resume a write that has ended": Mutant(
        "is complete and open", 1016, (
            Patch(OpenFiles, "was_ended", _never_ended),
            Patch(OpenFiles, "exists", _never_ended),
        )),
    "forget the answers to repeated calls": Mutant(
        "took effect twice", 0, (Patch(RetryCache, "get", _forgetful),)),
    "answer without a proof of leadership": Mutant(
        "was never true between", 18, (Patch(ModelTerm, "_require_proof", _answer_anyway),)),
    "a proof of leadership lasts for ever": Mutant(
        "hold a lease at once", 2, (Patch(LeaderLease, "holds", _proved_anyway),)),
    "take an append that was not answered for done": Mutant(
        "", 1, (Patch(AppendQueue, "refused", _take_silence_for_success),)),
    "take over without acknowledged epochs": Mutant(
        "removes Replica", 559, (
            Patch(Blocks, "lead", _lead_unacknowledged),
            Patch(Verifications, "sure", _never_ask),
        )),
    "drop the news for a standby": Mutant(
        "does not know Replica", 1, (Patch(ModelDuties, "add", _tell_who_leads),)),
    "take changes for which there is no room": Mutant(
        "while most disks are full", 4, (Patch(AppendQueue, "require_room", _take_anyway),)),
    "promise nothing while the disk is full": Mutant(
        "full", 4, (Patch(member_module, "kept_beside", _keep_nothing_beside),)),
    "record on full disks what cannot have been decided": Mutant(
        "", 14, (Patch(recovery, "spared", _take_all),)),
    "lead on although most datanodes hear another one": Mutant(
        "leads on, whom most", 7, (Patch(Unheard, "gives_way", _stay),)),
    "promise anybody what another one wishes for": Mutant(
        "leads next, whom most", 7, (Patch(Wishes, "check_claim", _let_anybody_claim),)),
    "obey orders of an earlier session": Mutant(
        "obeys epoch", 198, (Patch(DataNode, "drop_orders", _keep_orders),)),
}  # fmt: skip
