"""What must hold between the namenode, the record and the disks: on the way, and once quiet."""

from typing import Any, Dict, List, Optional

from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.permissions import Caller
from data_service.protocol.files import LocatedBlock
from metadata_service.edits import TABLES
from metadata_service.quorum import OK
from tests.simulation.violation import demand
from tests.simulation.client import Client
from tests.simulation.data_node import DataNode
from tests.simulation.history import History
from tests.simulation.name_node import NameNode
from tests.simulation.plain_tree import DIRECTORY, view_of
from tests.simulation.durable_record import DurableRecord
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.quorum.model_disk import Tables
from tests.simulation.term import ModelTerm

ROOT = Caller("root", frozenset(), True)
FRESH: Tables = {name: {} for name in TABLES}
"""The rows of a namespace that nobody has changed, which no edit tells of."""
for _name, _rows in Image("root", "supergroup").rows().items():
    FRESH[_name] = {row[0]: row for row in _rows}


def leader_of(namenodes: List[NameNode], record: DurableRecord) -> Optional[ModelTerm]:
    """The term that serves in the newest epoch, if there is one."""
    for namenode in namenodes:
        term = namenode.term
        if namenode.up and term is not None and not term.over:
            if term.journal.epoch == record.epoch:
                return term
    return None


def check_term(term: ModelTerm, datanodes: List[DataNode]) -> None:
    """Every invariant of the core; and it knows every replica of nodes that told all."""
    term.check()
    blocks: Any = term.state.blocks
    for datanode in datanodes:
        node = blocks._nodes.get(datanode.name)
        if node is None or not node.reported or not node.session:
            continue
        duties = datanode.towards(term.namenode)
        if node.session != duties.session or duties.news:
            continue
        for block_id, replica in datanode.disk.items():
            known = (
                node in blocks._map.everyone(block_id)
                or block_id in node.unknown
                or block_id in node.outbox
                or (block_id in blocks._opened and node in blocks._opened.get(block_id).replicas)
            )
            demand(known, term, "does not know", replica, "of", datanode)


def unrest_of_members(term: ModelTerm, members: List[MetadataMember]) -> str:
    """Why the members are not quiet yet; empty when each is one, and has everything."""
    reign = term.journal.reign
    if len(reign.configuration.sets) != 1 or reign.decided != reign.record.last.txid:
        return f"{reign.configuration}, decided {reign.decided} of {reign.record.last.txid}"
    for member in members:
        status = member.status()
        if status.state != OK or status.member_id not in reign.configuration.ids:
            return f"{member.name} is {status.state}"
        if not status.last == status.applied == reign.record.last:
            return f"{member.name} stands at {status.applied}, has {status.last}"
    return ""


def unrest(
    term: Optional[ModelTerm], clients: List[Client], datanodes: List[DataNode],
    members: List[MetadataMember], namenodes: List[NameNode],
) -> str:
    """Why the cluster is not quiet yet; empty when it is."""
    if term is None:
        return "nobody leads"
    reason = unrest_of_members(term, members)
    if reason:
        return reason
    if any(one.core is None for one in namenodes if one.term is not term):
        return "nobody stands by"
    if any(not client.idle for client in clients):
        return "clients are busy"
    if any(datanode.busy for datanode in datanodes):
        return "datanodes are busy"
    state: Any = term.state
    if len(state.blocks._nodes.takers()) < len(datanodes):
        return f"{state.blocks!r}"
    if any(node.outbox.ids() for node in state.blocks._nodes):
        return "orders wait"
    counts = state.blocks.census.counts()
    if state.blocks.safe_mode:
        return "safe mode"
    if state.image.orphans.children:
        return f"{state.image!r}"
    if list(state.open_files) or state.image.deleted_blocks:
        return f"{state.open_files!r}, deleted blocks: {state.image.deleted_blocks}"
    if any(counts[1:]) or term.journal.durable_txid < term.journal.last_txid:
        return f"{counts}"
    return ""


def check_quiet(
    term: ModelTerm, record: DurableRecord, datanodes: List[DataNode], history: History,
    members: List[MetadataMember],
) -> None:
    """The log explains all answers; namenode, record and disks say the same."""
    tables = history.check()
    demand(tables == record.tables, "the tables are not what the edits make")
    for member in members:
        demand(member.disk.tables == tables, member.name, "has other rows than were decided")
    _check_image(term, tables)
    check_term(term, datanodes)
    expected: Dict[int, str] = {}
    for path, node in sorted(view_of(tables).items()):
        if node != DIRECTORY:
            located = term.state.reading.block_locations(ROOT, path, 0, 1 << 40).result.blocks
            contents = [history.contents[number] for number in node[3]]
            demand(len(located) == len(contents), path, located, contents)
            for block, content in zip(located, contents):
                _check_block(path, block, content, node[2], datanodes)
                expected[block.block.block_id] = content
    for datanode in datanodes:
        stray = set(datanode.disk) - set(expected)
        demand(not stray, datanode, "still has", stray)


def _check_block(
    path: str, located: LocatedBlock, content: str, wanted: int, datanodes: List[DataNode]
) -> None:
    holders = []
    for datanode in datanodes:
        replica = datanode.disk.get(located.block.block_id)
        if replica is not None:
            demand(replica.intact and replica.content == content, path, replica, "of", datanode)
            demand(replica.block == located.block, path, replica, located)
            holders.append(datanode.name)
    demand(len(holders) == min(wanted, len(datanodes)), path, located, "is on", holders)
    told = sorted(target.node_id for target in located.targets)
    demand(told == sorted(holders), path, located, "is on", holders)


def _check_image(term: ModelTerm, tables: Tables) -> None:
    for name, rows in term.state.image.rows().items():
        stored = {**FRESH[name], **tables[name]}
        demand({row[0]: row for row in rows} == stored, "the image is not what is stored:", name)
