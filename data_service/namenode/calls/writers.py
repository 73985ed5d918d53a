"""What clients may ask of the namenode when they write files."""

import secrets
import time
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from data_service.namenode.calls.administration import Administration
from data_service.namenode.dates import wall_ms
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.retries import Op
from data_service.namenode.state import State
from data_service.namenode.writers.proofs import Proofs
from data_service.protocol.blocks import Block
from data_service.protocol.files import Tail
from data_service.protocol.validation import (
    check_blocks,
    check_integers,
    check_list,
    check_strings,
)
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.rpc import waits


BLOCK_SIZE_MIN = 4096
"""The least block size that a client may ask for, as in config.ini."""


class WriterCalls(Administration):
    """The calls that open, fill and end files."""

    def exposed_create(
        self, op: Op, path: str, overwrite: bool, replication: int, block_size: int, mode: int
    ) -> Tuple[Any, ...]:
        """Open a file for writing (OpenedFile); replication or block size 0 mean the default."""
        check_strings(path)
        check_integers(replication, block_size, mode)
        if 0 < block_size < BLOCK_SIZE_MIN:
            raise InvalidArgument(
                f"Specified block size is less than the minimum of {BLOCK_SIZE_MIN}: "
                f"{block_size}"
            )
        op = self._own_call(op, path, overwrite, replication, block_size, mode)
        return self._open(
            op,
            lambda state: state.writing.create(
                self._caller,
                op,
                path,
                bool(overwrite),
                replication or self._replication,
                block_size or self._block_size,
                mode,
                time.monotonic(),
            ),
        )

    def exposed_append(self, op: Op, path: str) -> Tuple[Any, ...]:
        """Open a file that exists to write behind its end (OpenedFile)."""
        check_strings(path)
        op = self._own_call(op, path)
        return self._open(
            op,
            lambda state: state.rewriting.append(self._caller, op, path, time.monotonic()),
        )

    def exposed_truncate(self, op: Op, path: str, length: int) -> Optional[Tuple[Any, ...]]:
        """Shorten a file: None when that is done, else an OpenedFile, see `Rewriting.truncate`."""
        check_strings(path)
        check_integers(length)
        op = self._own_call(op, path, length)
        return self._open(
            op,
            lambda state: state.rewriting.truncate(
                self._caller, op, path, length, time.monotonic(), wall_ms()
            ),
        )

    def exposed_cut_block(self, client_id: str, file_id: int) -> Tuple[Any, ...]:
        """The LocatedBlock that an open truncation replaces."""
        client_id = self._own_client(client_id)
        check_integers(file_id)
        return self._read(lambda state: state.rewriting.cut_block(client_id, file_id))

    def exposed_concat(self, op: Op, path: str, sources: Tuple[Any, ...]) -> None:
        """Move the blocks of the sources behind those of the file at `path`."""
        check_strings(path, *check_list(sources))
        op = self._own_call(op, path, sources)
        self._change(
            lambda state: state.rewriting.concat(self._caller, op, path, sources, wall_ms()), op
        )

    def exposed_add_block(
        self, client_id: str, file_id: int, position: int, excluded: Tuple[Any, ...]
    ) -> Tuple[Any, ...]:
        """The LocatedBlock for one position of an open file."""
        client_id = self._own_client(client_id)
        check_strings(*check_list(excluded))
        check_integers(file_id, position)
        term, host = self._term_of(), self.peer.host

        def add(state: State) -> Outcome:
            proofs = Proofs(state.commits, secrets.randbits)
            outcome = state.writing.add_block(
                client_id, file_id, position, excluded, host, time.monotonic(), term.random
            )
            located = outcome.result
            claim = proofs.of(client_id, file_id, located.block.block_id)
            return outcome._replace(result=located._replace(claim=claim))

        return term.change(add)

    def exposed_abandon_block(self, client_id: str, file_id: int, block_id: int) -> None:
        """Give a block up whose pipeline failed."""
        client_id = self._own_client(client_id)
        check_integers(file_id, block_id)
        self._change(lambda state: state.writing.abandon_block(client_id, file_id, block_id))

    @waits
    def exposed_complete(self, op: Op, file_id: int, blocks: Tuple[Any, ...]) -> Tuple[Any, ...]:
        """Make an open file appear (Completed), once all its replicas are confirmed."""
        check_integers(file_id)
        presented = check_blocks(blocks)
        op = self._own_call(op, file_id, blocks)
        return self._term_of().change_when_confirmed(
            lambda state: state.writing.complete(
                self._caller, op, file_id, presented, time.monotonic(), wall_ms()
            ),
            op,
            self.gone,
        )

    @waits
    def exposed_flush(self, op: Op, file_id: int, blocks: Tuple[Any, ...]) -> Tuple[Any, ...]:
        """Make visible what was written so far (Completed), as `complete`; it stays open."""
        check_integers(file_id)
        presented = check_blocks(blocks)
        op = self._own_call(op, file_id, blocks)
        return self._term_of().change_when_confirmed(
            lambda state: state.writing.flush(
                self._caller, op, file_id, presented, time.monotonic(), wall_ms()
            ),
            op,
            self.gone,
        )

    def exposed_resume(
        self,
        client_id: str,
        path: str,
        file_id: int,
        overwrite: bool,
        replication: int,
        block_size: int,
        mode: int,
        replaces: int,
        blocks: Tuple[Any, ...],
        claim: str,
    ) -> Tuple[Any, ...]:
        """Present a file in progress to a restarted namenode, with its claim, and its blocks as
        (position, block, claim)."""
        client_id = self._own_client(client_id)
        check_strings(path, claim)
        check_integers(file_id, replication, block_size, mode, replaces)
        presented, claims = _check_positions(blocks)
        return self._resume(
            client_id, file_id, claim, presented, claims,
            lambda state: state.writing.resume(
                self._caller,
                client_id,
                path,
                file_id,
                bool(overwrite),
                replication,
                block_size,
                mode,
                replaces,
                presented,
                time.monotonic(),
            ),
        )  # fmt: skip

    def exposed_resume_visible(
        self,
        client_id: str,
        file_id: int,
        tail: Tuple[Any, ...],
        blocks: Tuple[Any, ...],
        claim: str,
    ) -> Tuple[Any, ...]:
        """As `resume`, for a file that readers see: `tail` is (position, offset, length)."""
        client_id = self._own_client(client_id)
        check_strings(claim)
        check_integers(file_id, *check_list(tail))
        if len(tail) != len(Tail._fields):
            raise InvalidArgument("a tail has other fields")
        presented, claims = _check_positions(blocks)
        return self._resume(
            client_id, file_id, claim, presented, claims,
            lambda state: state.rewriting.resume(
                self._caller, client_id, file_id, Tail._make(tail), presented, time.monotonic()
            ),
        )  # fmt: skip

    def exposed_abandon_file(self, client_id: str, file_id: int) -> None:
        """Give an open file up."""
        client_id = self._own_client(client_id)
        check_integers(file_id)
        self._change(lambda state: state.writing.abandon_file(client_id, file_id))

    def exposed_renew_lease(self, client_id: str) -> None:
        """Keep all files that a client has open."""
        client_id = self._own_client(client_id)
        self._read(
            lambda state: Outcome(
                state.writing.renew_lease(client_id, time.monotonic()), None, 0
            )
        )


    # Within.

    def _open(self, op: Op, operation: Callable[[State], Outcome]) -> Any:
        """Open a file, and give its claim out with it; None when there is nothing to write."""

        def run(state: State) -> Outcome:
            proofs = Proofs(state.commits, secrets.randbits)
            outcome = operation(state)
            opened = outcome.result
            if opened is None:
                return outcome
            claim = proofs.of(op.client_id, opened.file_id)
            return outcome._replace(result=opened._replace(claim=claim))

        return self._change(run, op)

    def _resume(
        self,
        client_id: str,
        file_id: int,
        claim: str,
        blocks: Mapping[int, Block],
        claims: Mapping[int, str],
        operation: Callable[[State], Outcome],
    ) -> Tuple[Any, ...]:
        """Give a file back to its writer, who has to prove that it is his."""

        def run(state: State) -> Outcome:
            proofs = Proofs(state.commits, secrets.randbits)
            proofs.check(client_id, file_id, claim, blocks, claims)
            outcome = operation(state)
            return outcome._replace(result=outcome.result._replace(claim=claim))

        return self._change(run)


def _check_positions(rows: Any) -> Tuple[Dict[int, Block], Dict[int, str]]:
    """Blocks and claims by their positions."""
    if any(type(row) is not tuple or len(row) != 3 for row in check_list(rows)):
        raise InvalidArgument("expected rows of position, block and claim")
    positions = [row[0] for row in rows]
    claims = [row[2] for row in rows]
    check_integers(*positions)
    check_strings(*claims)
    blocks = check_blocks(tuple(row[1] for row in rows))
    return dict(zip(positions, blocks)), dict(zip(positions, claims))
