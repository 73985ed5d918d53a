"""The calls of those who write files."""

import secrets
import time
from typing import Any, Callable, Mapping, Optional, Tuple, Union

from data_service.namenode.calls.connection import Connection
from data_service.namenode.dates import wall_ms
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.retries import Op
from data_service.namenode.state import State
from data_service.namenode.writers.proofs import Proofs
from data_service.protocol.blocks import Block, SealedBlock
from data_service.protocol.files import (
    Begun,
    Completed,
    LocatedBlock,
    OpenedFile,
    Presented,
    Tail,
)
from zookeeper.fabric.errors import InvalidArgument, NotEnoughReplicas

BLOCK_SIZE_MIN = 4096
"""The least block size that a client may ask for, as in config.ini."""


class Writers:
    """Answers WriterCalls, on one connection. New files have the `replication` and the `block_size`
    that their writer does not choose."""

    def __init__(self, connection: Connection, replication: int, block_size: int) -> None:
        self._on = connection
        self._replication = replication
        self._block_size = block_size

    def create(
        self,
        op: Op,
        path: str,
        overwrite: bool,
        replication: int,
        block_size: int,
        mode: int,
        first_block: Optional[Tuple[str, ...]] = None,
    ) -> Union[OpenedFile, Begun]:
        """See WriterCalls."""
        if 0 < block_size < BLOCK_SIZE_MIN:
            raise InvalidArgument(
                f"Specified block size is less than the minimum of {BLOCK_SIZE_MIN}: "
                f"{block_size}"
            )
        caller = self._on.caller
        opened: OpenedFile = self._open(
            op,
            lambda state: state.writing.create(
                caller,
                op,
                path,
                overwrite,
                replication or self._replication,
                block_size or self._block_size,
                mode,
                time.monotonic(),
            ),
        )
        if first_block is None:
            return opened
        try:
            first = self.add_block(op.client_id, opened.file_id, opened.position, first_block)
        except NotEnoughReplicas:
            return opened  # The file is open: its writer asks again, with others or for the reason.
        return Begun(opened, first)

    def append(self, op: Op, path: str) -> OpenedFile:
        """See WriterCalls."""
        caller = self._on.caller
        return self._open(
            op, lambda state: state.rewriting.append(caller, op, path, time.monotonic())
        )

    def truncate(self, op: Op, path: str, length: int) -> Optional[OpenedFile]:
        """See WriterCalls."""
        caller = self._on.caller
        return self._open(
            op,
            lambda state: state.rewriting.truncate(
                caller, op, path, length, time.monotonic(), wall_ms()
            ),
        )

    def cut_block(self, client_id: str, file_id: int) -> LocatedBlock:
        """See WriterCalls."""
        located = self._on.namesystem.read(
            lambda state: state.rewriting.cut_block(client_id, file_id)
        )
        return self._on.tokens.for_reader(self._on.bearer, [located])[0]

    def concat(self, op: Op, path: str, sources: Tuple[str, ...]) -> None:
        """See WriterCalls."""
        caller = self._on.caller
        self._on.namesystem.change(
            lambda state: state.rewriting.concat(caller, op, path, sources, wall_ms()), op
        )

    def add_block(
        self, client_id: str, file_id: int, position: int, excluded: Tuple[str, ...]
    ) -> LocatedBlock:
        """See WriterCalls."""
        namesystem, host = self._on.namesystem, self._on.host

        def add(state: State) -> Outcome:
            proofs = Proofs(state.commits, secrets.randbits)
            outcome = state.writing.add_block(
                client_id, file_id, position, excluded, host, time.monotonic(), namesystem.random
            )
            located = outcome.result
            claim = proofs.of(client_id, file_id, located.block.block_id)
            size = state.open_files.find(client_id, file_id).new.block_size
            return outcome._replace(result=(located._replace(claim=claim), size))

        return self._on.tokens.for_writer(self._on.bearer, *namesystem.change(add))

    def abandon_block(self, client_id: str, file_id: int, block_id: int) -> None:
        """See WriterCalls."""
        self._on.namesystem.change(
            lambda state: state.writing.abandon_block(client_id, file_id, block_id)
        )

    def complete(self, op: Op, file_id: int, blocks: Tuple[SealedBlock, ...]) -> Completed:
        """See WriterCalls."""
        caller = self._on.caller
        return self._on.namesystem.change_when_confirmed(
            lambda state: state.writing.complete(
                caller, op, file_id, blocks, time.monotonic(), wall_ms()
            ),
            op,
            blocks,
            self._on.gone,
        )

    def flush(self, op: Op, file_id: int, blocks: Tuple[SealedBlock, ...]) -> Completed:
        """See WriterCalls."""
        caller = self._on.caller
        return self._on.namesystem.change_when_confirmed(
            lambda state: state.writing.flush(
                caller, op, file_id, blocks, time.monotonic(), wall_ms()
            ),
            op,
            blocks,
            self._on.gone,
        )

    def resume(
        self,
        client_id: str,
        path: str,
        file_id: int,
        overwrite: bool,
        replication: int,
        block_size: int,
        mode: int,
        replaces: int,
        blocks: Tuple[Presented, ...],
        claim: str,
    ) -> OpenedFile:
        """See WriterCalls."""
        caller = self._on.caller
        return self._resume(
            client_id, file_id, claim, blocks,
            lambda state, presented: state.writing.resume(
                caller,
                client_id,
                path,
                file_id,
                overwrite,
                replication,
                block_size,
                mode,
                replaces,
                presented,
                time.monotonic(),
            ),
        )  # fmt: skip

    def resume_visible(
        self,
        client_id: str,
        file_id: int,
        tail: Tail,
        blocks: Tuple[Presented, ...],
        claim: str,
    ) -> OpenedFile:
        """See WriterCalls."""
        caller = self._on.caller
        return self._resume(
            client_id, file_id, claim, blocks,
            lambda state, presented: state.rewriting.resume(
                caller, client_id, file_id, tail, presented, time.monotonic()
            ),
        )  # fmt: skip

    def abandon_file(self, client_id: str, file_id: int) -> None:
        """See WriterCalls."""
        self._on.namesystem.change(lambda state: state.writing.abandon_file(client_id, file_id))

    def renew_lease(self, client_id: str) -> None:
        """See WriterCalls."""
        self._on.namesystem.read(
            lambda state: Outcome(state.writing.renew_lease(client_id, time.monotonic()), None, 0)
        )

    # Within.

    def _open(self, op: Op, operation: Callable[[State], Outcome]) -> Any:
        """Open a file, and give its proof out with it; None when there is nothing to write."""

        def run(state: State) -> Outcome:
            proofs = Proofs(state.commits, secrets.randbits)
            outcome = operation(state)
            opened = outcome.result
            if opened is None:
                return outcome
            claim = proofs.of(op.client_id, opened.file_id)
            return outcome._replace(result=opened._replace(claim=claim))

        return self._on.namesystem.change(run, op)

    def _resume(
        self,
        client_id: str,
        file_id: int,
        claim: str,
        blocks: Tuple[Presented, ...],
        operation: Callable[[State, Mapping[int, Block]], Outcome],
    ) -> OpenedFile:
        """Give a file back to its writer, who has to prove that it is his. The operation gets its
        blocks by their positions."""
        rows = {row.position: row for row in blocks}

        def run(state: State) -> Outcome:
            proofs = Proofs(state.commits, secrets.randbits)
            proofs.check(client_id, file_id, claim, rows.values())
            outcome = operation(state, {position: row.block for position, row in rows.items()})
            return outcome._replace(result=outcome.result._replace(claim=claim))

        return self._on.namesystem.change(run)
