"""Orders to one datanode that wait for its next heartbeat, and those sent but not confirmed.

The namenode never dials a datanode: a command is the reply to a heartbeat. A reply can be lost,
so an order to delete stays until the datanode confirms it and is sent again after a time. An
order to copy is not repeated from here: `replication.py` plans that copy anew.
"""

from itertools import islice
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import REPORT, VERIFY, Command

BLOCKS_PER_COMMAND = 1000
"""Most replicas that one command removes, so that no reply and no datanode's pause is long."""


VERIFIED_PER_COMMAND = 100
"""Most replicas that one command has read: many blocks of a large file are gigabytes."""


class Order(NamedTuple):
    """Remove one replica, once edit `txid` is durable; `repeated` when it was sent before.

    `block` names the replica as the datanode reported it (its generation may be a wrong one).
    """

    block: Block
    action: str
    txid: int
    repeated: bool


class Outbox:
    """What one datanode shall be told. `ready` orders are sent next, `sent` ones may be under way.

    `sent` is ordered by the time after which an order is repeated, so only its head is looked at.
    """

    __slots__ = ("ready", "sent", "copies", "verify", "report")

    def __init__(self) -> None:
        self.ready: Dict[int, Order] = {}
        self.sent: Dict[int, Tuple[Order, float]] = {}
        self.copies: Dict[int, Command] = {}
        self.verify: Dict[int, Block] = {}
        self.report = False

    def __len__(self) -> int:
        return len(self.ready) + len(self.sent)

    def __contains__(self, block_id: int) -> bool:
        return block_id in self.ready or block_id in self.sent

    def __repr__(self) -> str:
        return f"<Outbox {len(self.ready)} ready, {len(self.sent)} sent, {len(self.copies)} copies>"

    def add(self, order: Order) -> None:
        """Queue an order; one for a block that already has one is left as it is."""
        if order.block.block_id not in self:
            self.ready[order.block.block_id] = order

    def is_sent(self, block_id: int) -> bool:
        """Whether the datanode may have been told to remove its replica of this block."""
        return block_id in self.sent or (block_id in self.ready and self.ready[block_id].repeated)

    def drop(self, block_id: int) -> Optional[Order]:
        """Forget the order about a block, if there was one: it was confirmed, or is no longer
        right."""
        sent, _ = self.sent.pop(block_id, (None, 0.0))
        return self.ready.pop(block_id, sent)

    def ids(self) -> List[int]:
        """The blocks that there are orders about."""
        return [*self.sent, *self.ready]

    def keep_only(self, wanted: Callable[[int], bool]) -> None:
        """A new session: orders that still hold are sent afresh, the others are forgotten."""
        orders = [order for order, _ in self.sent.values()] + list(self.ready.values())
        self.ready = {order.block.block_id: order._replace(repeated=False)
                      for order in orders if wanted(order.block.block_id)}
        self.sent = {}
        self.copies = {}
        self.verify = {}
        self.report = False

    def overdue(self, now: float, limit: int) -> List[Order]:
        """Sent orders whose time is over go back to `ready`, at most `limit`; they are returned."""
        late: List[Order] = []
        for order, due in islice(self.sent.values(), limit):
            if due > now:
                break
            late.append(order._replace(repeated=True))
        for order in late:
            del self.sent[order.block.block_id]
            self.ready[order.block.block_id] = order
        return late

    def shift(self, seconds: float) -> None:
        """The namenode itself slept: what was sent gets that much longer."""
        for block_id, (order, due) in self.sent.items():
            self.sent[block_id] = (order, due + seconds)

    def take(self, durable_txid: int, due: float,
             right: Callable[[Order], bool]) -> Tuple[Command, ...]:
        """The removals to send now, noted as sent until `due`.

        Left behind: orders whose edit is not durable and what exceeds one command. `right` is
        asked about each order at the last moment; one that it refuses is not sent now.
        """
        by_action: Dict[str, List[Block]] = {}
        for order in list(islice(self.ready.values(), BLOCKS_PER_COMMAND)):
            block_id = order.block.block_id
            if order.txid > durable_txid or not right(order):
                if block_id in self.ready:
                    # Behind the others: what cannot be sent must not hide what can.
                    self.ready[block_id] = self.ready.pop(block_id)
                continue
            del self.ready[block_id]
            self.sent[block_id] = (order, due)
            by_action.setdefault(order.action, []).append(order.block)
        return tuple(Command(action, tuple(blocks), ())
                     for action, blocks in sorted(by_action.items()))

    def supersede(self, block: Block) -> None:
        """The datanode has this replica of a block: an order about another one has no object."""
        order = self.ready.get(block.block_id)
        if order is None and block.block_id in self.sent:
            order = self.sent[block.block_id][0]
        if order is not None and order.block != block:
            self.drop(block.block_id)

    def take_report(self) -> Tuple[Command, ...]:
        """The order to send a full report now, once, when somebody asked for one."""
        wanted, self.report = self.report, False
        return (Command(REPORT, (), ()),) if wanted else ()

    def take_verifications(self) -> Tuple[Command, ...]:
        """The replicas to read and verify, once; some of them, when they are many."""
        blocks = tuple(islice(self.verify.values(), VERIFIED_PER_COMMAND))
        for block in blocks:
            del self.verify[block.block_id]
        return (Command(VERIFY, blocks, ()),) if blocks else ()

    def take_copies(self) -> Tuple[Command, ...]:
        """The copies to make, once."""
        commands, self.copies = tuple(self.copies.values()), {}
        return commands
