"""A namenode's core with real parts, a model of the metadata service, and obedient datanodes."""

from random import Random
from typing import Any, Callable, List, Optional, Sequence, Tuple, Type

import pytest

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.retries import Op
from data_service.namenode.state import State
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock, OpenedFile, Tail
from tests.support.models.block_side import Datanodes, sealed
from tests.support.models.metadata_model import MetadataModel
from zookeeper.fabric.errors import DfsError

ROOT = Caller("root", frozenset(), True)
BLOCK_SIZE = 100


def refusal(kind: Type[DfsError], deed: Callable[[], Any]) -> str:
    """The message with which a deed is refused."""
    with pytest.raises(kind) as caught:
        deed()
    return caught.value.message


class Core:
    """`now` is what the operations are told; every edit is stored as soon as it is made."""

    def __init__(self, datanodes: int = 3) -> None:
        self.metadata = MetadataModel()
        self.random = Random(1)
        self.now = 0.0
        self.calls = 0
        self.state: State = self.metadata.start()
        self.nodes = Datanodes(self.state.blocks, datanodes)
        self.state.blocks.loaded(0.0)

    def op(self, client: str = "client") -> Op:
        """A new call of a client."""
        self.calls += 1
        return client, self.calls

    def do(self, outcome: Optional[Outcome]) -> Any:
        """Store the outcome's edit, check everything; the outcome's result."""
        result = None if outcome is None else self.metadata.store(outcome)
        self.state.check()
        self._check_digests()
        return result

    def _check_digests(self) -> None:
        """The block side knows those of the record, and no others."""
        digests = self.metadata.tables["digests"]
        for block_id in self.metadata.tables["blocks"]:
            known = self.state.blocks.digest(block_id).hex()
            assert known == digests.get(block_id, (block_id, ""))[1], block_id
        assert digests.keys() <= self.metadata.tables["blocks"].keys(), "of blocks that are gone"

    def create(
        self, path: str, client: str = "client", overwrite: bool = False, replication: int = 2
    ) -> int:
        """Open a file; its number."""
        return self.do(
            self.state.writing.create(
                ROOT, self.op(client), path, overwrite, replication, BLOCK_SIZE, 0o644, self.now
            )
        ).file_id

    def add(
        self, file_id: int, position: int, client: str = "client", excluded: Sequence[str] = ()
    ) -> LocatedBlock:
        """Allocate a block."""
        return self.do(
            self.state.writing.add_block(
                client, file_id, position, excluded, "", self.now, self.random
            )
        )

    def write(
        self, file_id: int, *lengths: int, client: str = "client", first: int = 0
    ) -> Tuple[Block, ...]:
        """Allocate and write blocks of these lengths; all their datanodes report them."""
        blocks: List[Block] = []
        for position, length in enumerate(lengths, first):
            located = self.add(file_id, position, client)
            block = located.block._replace(length=length)
            self.nodes.receive(block, located.targets)
            blocks.append(block)
        return tuple(blocks)

    def complete(self, file_id: int, blocks: Sequence[Block], client: str = "client") -> Any:
        """Make a file appear."""
        return self.do(
            self.state.writing.complete(
                ROOT, self.op(client), file_id, list(map(sealed, blocks)), self.now, 8
            )
        )

    def put(self, path: str, *lengths: int, overwrite: bool = False) -> int:
        """A whole file; its number."""
        file_id = self.create(path, overwrite=overwrite)
        self.complete(file_id, self.write(file_id, *lengths))
        return file_id

    def resume(
        self,
        path: str,
        file_id: int,
        blocks: Sequence[Block],
        client: str = "client",
        replaces: int = 0,
    ) -> Any:
        """Present a file to a namenode that may have been restarted."""
        return self.do(
            self.state.writing.resume(
                ROOT, client, path, file_id, bool(replaces), 2, BLOCK_SIZE, 0o644, replaces,
                dict(enumerate(blocks)), self.now,
            )
        )  # fmt: skip

    def append(self, path: str, client: str = "client") -> OpenedFile:
        """Open a file to write behind its end."""
        return self.do(self.state.rewriting.append(ROOT, self.op(client), path, self.now))

    def truncate(self, path: str, length: int, client: str = "client") -> Optional[OpenedFile]:
        """Shorten a file; None when that is done."""
        op = self.op(client)
        return self.do(
            self.state.rewriting.truncate(ROOT, op, path, length, self.now, 9)
        )

    def concat(self, target: str, *sources: str) -> None:
        """Move the blocks of files behind those of another."""
        self.do(self.state.rewriting.concat(ROOT, self.op(), target, sources, 10))

    def flush(self, file_id: int, blocks: Sequence[Block], client: str = "client") -> Any:
        """Make visible what was written so far."""
        return self.do(
            self.state.writing.flush(
                ROOT, self.op(client), file_id, list(map(sealed, blocks)), self.now, 8
            )
        )

    def go_on(
        self, opened: OpenedFile, blocks: Sequence[Block], client: str = "client"
    ) -> Any:
        """Present a visible file, and its new blocks, to a namenode that was restarted."""
        presented = dict(enumerate(blocks, opened.position))
        return self.do(
            self.state.rewriting.resume(
                ROOT, client, opened.file_id, Tail(*opened[3:6]), presented, self.now
            )
        )

    def blocks(self, path: str) -> List[Tuple[int, int, int]]:
        """The number, offset and length of each block that readers find."""
        located = self.state.reading.block_locations(ROOT, path, 0, 1 << 40).result.blocks
        return [(row.block.block_id, row.offset, row.block.length) for row in located]

    def restart(self, settling_seconds: float = 0.0) -> None:
        """The namenode dies and starts again; the datanodes register and report what they hold."""
        held = self.nodes.held
        self.state = self.metadata.start(settling_seconds=settling_seconds)
        self.nodes = Datanodes(self.state.blocks, 0)
        self.nodes.held = held
        for node_id in sorted(held):
            self.nodes.start(node_id)
        self.state.blocks.loaded(0.0)
        self.state.check()

    def mkdir(self, path: str) -> None:
        """Make a directory and its parents."""
        self.do(self.state.mkdir(ROOT, self.op(), path, True, 0o755, 1, self.now))

    def delete(self, path: str) -> bool:
        """Delete a tree; whether there was one."""
        return self.do(self.state.delete(ROOT, self.op(), path, True, 9))

    def rename(self, source: str, target: str) -> None:
        """Move an inode."""
        self.do(self.state.rename(ROOT, self.op(), source, target, 5, self.now))

    def length(self, path: str) -> int:
        """The length of a file."""
        return self.state.reading.stat(ROOT, path).result.length

    def sweep(self) -> List[int]:
        """Take deleted trees apart and carry the deletions out; the blocks that are gone."""
        while self.state.image.orphans.children:
            self.do(self.state.purge_step(10))
        deleted = self.nodes.obey(self.metadata.last_txid)
        self.do(self.state.forget_deleted(1000))
        return sorted(set(deleted))


class Term:
    """As much of a term as these calls need: every edit is durable at once."""

    def __init__(self, core: Core) -> None:
        self.random = core.random
        self._core = core

    def change(self, operation: Callable[[State], Outcome], *_: Any) -> Any:
        """Run an operation and store its edit; nothing has to be waited for."""
        return self._core.do(operation(self._core.state))

    read = change_when_confirmed = change
