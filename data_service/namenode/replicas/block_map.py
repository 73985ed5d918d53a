"""Every committed block, where its replicas are, and how well it is kept.

Theory of operation. A node's replica of a block is one of three things. *Good*: the node reported
exactly the recorded generation and length, and the digest that the block's writer told. *Corrupt*:
it reported something else, or the bytes do not match their checksums; the mark keeps reason and
generation, and goes only when the deletion of that replica is confirmed or, for a mere mismatch,
when the node reports the right one (HDFS-5438, HDFS-4799). *Leaving*: it was good, is surplus, and
its node was told to delete it: it counts for nothing any more, because nobody knows when the node
obeys. Only good replicas count.

A million blocks must fit, so a block is not an object: it is a row in parallel arrays, and the
tuple of its good holders is shared with all blocks that have the same holders. There is no list
of blocks per node: the rare questions that need one walk the rows.
"""

from array import array
from typing import Container, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from data_service.namenode.replicas.judgement import (
    CORRUPT,
    EXCESS,
    FULL,
    LEVELS,
    MISSING,
    UNDER,
    judge,
)
from data_service.namenode.replicas.node import Node
from data_service.protocol.blocks import DIGEST_BYTES, Block
from data_service.protocol.redundancy import Redundancy, replicated

GENERATION = "generation"
LENGTH = "length"
CHECKSUM = "checksum"
DIGEST = "digest"

_SHARED_TUPLES = 65536
_NO_DIGEST = bytes(DIGEST_BYTES)


class Mark(NamedTuple):
    """Why a replica is corrupt, and the generation and length that its node reported."""

    reason: str
    generation: int
    length: int


def reported(block: Block, mark: Optional[Mark]) -> Block:
    """The replica of a block as its node reported it."""
    return block if mark is None else Block(block.block_id, mark.generation, mark.length)


class BlockMap:
    """The rows. Methods that change a block re-judge it, so `under`, `excess` and the counts
    are right after every call. `lost_alone` counts those of MISSING and CORRUPT that were to have
    one replica only."""

    def __init__(self) -> None:
        self._rows: Dict[int, int] = {}
        self._ids = array("Q")
        self._generations = array("Q")
        self._lengths = array("Q")
        self._inodes = array("Q")
        self._targets = array("H")
        self._judged = array("B")
        self._digests = bytearray()
        self._holders: List[Tuple[Node, ...]] = []
        self._free_rows: List[int] = []
        self._shared: Dict[Tuple[Node, ...], Tuple[Node, ...]] = {}
        self.marks: Dict[int, Dict[Node, Mark]] = {}
        self.leaving: Dict[int, Node] = {}
        self.under: Tuple[Dict[int, None], ...] = tuple({} for _ in range(LEVELS))
        self.excess: Dict[int, None] = {}
        self.totals = [0] * 5
        self.lost_alone = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, block_id: int) -> bool:
        return block_id in self._rows

    def __repr__(self) -> str:
        missing, corrupt, _, excess, under = self.totals
        return (f"<BlockMap {len(self)} blocks, {under} under-replicated, {excess} in excess, "
                f"{missing} missing, {corrupt} corrupt>")

    # Rows.

    def load(self, kept: Iterable[Tuple[Block, int, Redundancy]]) -> None:
        """Fill an empty map: with each block its inode, and how it shall be kept."""
        assert not self._ids, self
        for (block_id, generation, length), inode_id, redundancy in kept:
            self._rows[block_id] = len(self._ids)
            self._ids.append(block_id)
            self._generations.append(generation)
            self._lengths.append(length)
            self._inodes.append(inode_id)
            self._targets.append(redundancy.targets)
        total = self.totals[MISSING] = len(self._ids)
        assert len(self._rows) == total, "an id twice"
        self._judged = array("B", bytes([MISSING]) * total)
        self._holders = [()] * total
        self._digests = bytearray(DIGEST_BYTES * total)
        self.lost_alone = sum([
            self._targets.count(targets) for targets in set(self._targets)
            if not replicated(targets).tolerates])

    def add(
        self, block: Block, inode_id: int, redundancy: Redundancy, digest: bytes = b""
    ) -> None:
        """A block is committed; nobody holds it yet. Its id must be new."""
        assert block.block_id not in self._rows, block
        if self._free_rows:
            row = self._free_rows.pop()
            self._ids[row], self._generations[row], self._lengths[row] = block
            self._inodes[row], self._targets[row] = inode_id, redundancy.targets
            self._judged[row] = MISSING
        else:
            row = len(self._ids)
            self._ids.append(block.block_id)
            self._generations.append(block.generation)
            self._lengths.append(block.length)
            self._inodes.append(inode_id)
            self._targets.append(redundancy.targets)
            self._judged.append(MISSING)
            self._holders.append(())
            self._digests += _NO_DIGEST
        self._rows[block.block_id] = row
        self.seal(block.block_id, digest)
        self._tally(row, 1)

    def remove(self, block_id: int) -> None:
        """A block is deleted: forget it and all that is known of its replicas."""
        row = self._rows[block_id]
        self.marks.pop(block_id, None)
        self.leaving.pop(block_id, None)
        self._settle(row, ())
        self._tally(row, -1)
        del self._rows[block_id]
        # Nobody looks for what is whole, so that nobody meets a row of no block.
        self._ids[row], self._judged[row] = 0, FULL
        self._free_rows.append(row)

    def get(self, block_id: int) -> Optional[Block]:
        """The committed block with this id, or None."""
        row = self._rows.get(block_id)
        if row is None:
            return None
        return Block(block_id, self._generations[row], self._lengths[row])

    def seal(self, block_id: int, digest: bytes) -> None:
        """The writer of a block told this digest, or none."""
        start = self._rows[block_id] * DIGEST_BYTES
        self._digests[start : start + DIGEST_BYTES] = digest or _NO_DIGEST

    def digest(self, block_id: int) -> bytes:
        """What the writer of a block told; nothing when he did not, or there is no such block."""
        row = self._rows.get(block_id)
        if row is None:
            return b""
        digest = bytes(self._digests[row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES])
        return b"" if digest == _NO_DIGEST else digest

    def inode_id(self, block_id: int) -> Optional[int]:
        """The inode that a committed block belongs to, or None."""
        row = self._rows.get(block_id)
        return None if row is None else self._inodes[row]

    def redundancy(self, block_id: int) -> Redundancy:
        """How the block shall be kept."""
        return replicated(self._targets[self._rows[block_id]])

    def holders(self, block_id: int) -> Tuple[Node, ...]:
        """The nodes with a good replica, in the order of their registration."""
        row = self._rows.get(block_id)
        return () if row is None else self._holders[row]

    def everyone(self, block_id: int) -> Tuple[Node, ...]:
        """All nodes with any replica: good, corrupt or leaving."""
        nodes = self.holders(block_id) + tuple(self.marks.get(block_id, ()))
        leaver = self.leaving.get(block_id)
        return nodes if leaver is None else nodes + (leaver,)

    def judged(self, block_id: int) -> int:
        """MISSING, CORRUPT, FULL, EXCESS or UNDER."""
        return min(self._judged[self._rows[block_id]], UNDER)

    def judged_as(self, state: int) -> Iterator[int]:
        """The blocks in this state, which is not UNDER. All rows are searched, a million of them
        in a millisecond."""
        judged = self._judged.tobytes()
        row = judged.find(state)
        while row >= 0:
            yield self._ids[row]
            row = judged.find(state, row + 1)

    @property
    def readable(self) -> int:
        """How many blocks have enough good replicas to be read."""
        return self.totals[FULL] + self.totals[EXCESS] + self.totals[UNDER]

    def all(self) -> Iterator[Tuple[Block, int, Redundancy]]:
        """Every block, with its inode and how it shall be kept."""
        for block_id, row in self._rows.items():
            block = Block(block_id, self._generations[row], self._lengths[row])
            yield block, self._inodes[row], replicated(self._targets[row])

    # Changes.

    def set_redundancy(self, block_id: int, redundancy: Redundancy) -> None:
        """The file shall be kept otherwise."""
        row = self._rows[block_id]
        # Who is lost alone is told by what was wanted when the block was filed.
        self._unfile(row)
        self._targets[row] = redundancy.targets
        self._file(row)

    def set_inode(self, block_id: int, inode_id: int) -> None:
        """The block belongs to another inode now."""
        self._inodes[self._rows[block_id]] = inode_id

    def put(self, block_id: int, node: Node) -> None:
        """The node has a good replica; a mark of it, or its leaving, is over."""
        row = self._rows[block_id]
        holders = self._holders[row]
        if node in holders:
            return
        self._clear(block_id, node)
        self._settle(row, tuple(sorted(holders + (node,), key=_by_index)))

    def drop(self, block_id: int, node: Node) -> None:
        """The node has no replica of the block any more, whatever it was."""
        row = self._rows[block_id]
        self._clear(block_id, node)
        self._settle(row, tuple(other for other in self._holders[row] if other is not node))

    def mark(self, block_id: int, node: Node, mark: Mark) -> None:
        """The node's replica is corrupt. A checksum error is not weakened to a mismatch, but for
        that of a digest: such a replica may well match its own checksums."""
        row = self._rows[block_id]
        earlier = self.marks.get(block_id, {}).get(node)
        self._clear(block_id, node)
        if earlier is not None and earlier.reason == CHECKSUM and mark.reason != DIGEST:
            mark = mark._replace(reason=CHECKSUM)
        self.marks.setdefault(block_id, {})[node] = mark
        self._settle(row, tuple(other for other in self._holders[row] if other is not node))

    def leave(self, block_id: int, node: Node) -> None:
        """A good replica is surplus: its node will be told to delete it."""
        assert block_id not in self.leaving and node in self.holders(block_id), (block_id, node)
        self.drop(block_id, node)
        self.leaving[block_id] = node

    def rejudge(self, block_id: int) -> None:
        """A node with a replica of this block died, returned, or is in another service state."""
        row = self._rows[block_id]
        self._settle(row, self._holders[row])

    def held_by(self, node: Node, start: int, stop: int) -> Iterator[int]:
        """The ids of good replicas on a node in rows `start` up to `stop`; safe while they go."""
        for row, holders in enumerate(self._holders[start:stop], start):
            if node in holders:
                yield self._ids[row]

    @property
    def rows(self) -> int:
        """One more than the highest row in use: the end for `held_by`."""
        return len(self._ids)

    def _clear(self, block_id: int, node: Node) -> None:
        """Forget that the node's replica is corrupt or leaving."""
        if self.leaving.get(block_id) is node:
            del self.leaving[block_id]
        marks = self.marks.get(block_id)
        if marks is not None and marks.pop(node, None) is not None and not marks:
            del self.marks[block_id]

    def _settle(self, row: int, holders: Tuple[Node, ...]) -> None:
        """Set the good holders of a block and judge it anew."""
        before = self._holders[row]
        if len(self._shared) >= _SHARED_TUPLES:
            self._shared.clear()
        self._unfile(row)
        self._holders[row] = self._shared.setdefault(holders, holders)
        self._file(row)
        for node in before:
            node.replicas -= 1
        for node in holders:
            node.replicas += 1

    def _unfile(self, row: int) -> None:
        """Take the block out of the count and the queue that it is in."""
        judged = self._judged[row]
        self._tally(row, -1)
        if judged >= UNDER:
            _discard(self.under[judged - UNDER], self._ids[row])
        elif judged == EXCESS:
            _discard(self.excess, self._ids[row])

    def _file(self, row: int) -> None:
        """Judge the block and put it into its count and queue."""
        self._judged[row] = judged = self._judge(row)
        self._tally(row, 1)
        if judged >= UNDER:
            self.under[judged - UNDER][self._ids[row]] = None
        elif judged == EXCESS:
            self.excess[self._ids[row]] = None

    def _tally(self, row: int, step: int) -> None:
        state = min(self._judged[row], UNDER)
        self.totals[state] += step
        if state in (MISSING, CORRUPT) and not replicated(self._targets[row]).tolerates:
            self.lost_alone += step

    def _judge(self, row: int) -> int:
        holders = self._holders[row]
        marks = () if holders else self.marks.get(self._ids[row], ())
        is_corrupt = any(not node.dead for node in marks)
        return judge(replicated(self._targets[row]), holders, is_corrupt)

    def check(self, unsettled: Container[Node] = ()) -> None:
        """Assert that counts and queues equal what a walk over all rows finds. What `unsettled`
        nodes hold is just being judged anew."""
        totals = [0] * 5
        replicas: Dict[Node, int] = {}
        assert sorted(self._rows.values()) == sorted(
            set(range(len(self._ids))) - set(self._free_rows)), self
        for block_id, row in self._rows.items():
            good, judged = self._holders[row], self._judged[row]
            assert judged == self._judge(row) or any(node in unsettled for node in good), block_id
            totals[min(judged, UNDER)] += 1
            nodes = self.everyone(block_id)
            assert self._ids[row] == block_id, block_id
            assert len(set(nodes)) == len(nodes), (block_id, nodes)
            assert list(good) == sorted(good, key=_by_index), good
            queues = [level for level in range(LEVELS) if block_id in self.under[level]]
            assert queues == ([judged - UNDER] if judged >= UNDER else []), block_id
            assert (block_id in self.excess) == (judged == EXCESS), block_id
            for node in good:
                replicas[node] = replicas.get(node, 0) + 1
        assert totals == self.totals, (totals, self.totals)
        alone = [row for row in self._rows.values()
                 if self._targets[row] == 1 and self._judged[row] in (MISSING, CORRUPT)]
        assert self.lost_alone == len(alone), (self.lost_alone, alone)
        assert totals[UNDER] == sum(map(len, self.under)) and totals[EXCESS] == len(self.excess)
        assert all(node.replicas == count for node, count in replicas.items()), replicas
        assert all(self.marks.values()) and set(self.marks) <= set(self._rows), self.marks
        assert set(self.leaving) <= set(self._rows), self.leaving


def rotate(queue: Dict[int, None], block_id: int) -> None:
    """Move an entry that can do nothing now behind the others."""
    del queue[block_id]
    queue[block_id] = None


def _discard(queue: Dict[int, None], block_id: int) -> None:
    del queue[block_id]
    if not queue:
        # A dict keeps its size when its entries go; the one after a restart was large.
        queue.clear()


def _by_index(node: Node) -> int:
    return node.index
