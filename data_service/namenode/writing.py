"""Writing files: create, add blocks, complete; leases, and going on after a restart.

Theory of operation. A file that is being written is soft state and nobody sees it. `complete`
checks everything again, under the lock, and makes the file appear by one edit. So a file appears
whole or not at all, and a file that is overwritten keeps its content until then. Blocks that end
in no file are recorded as deleted before any replica is removed.

A file's place is an inode with names below it (see `leases.py`), never a path. When a directory
above is renamed, the file appears below its new name; when it is deleted, the lease is gone.
"""

from random import Random
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple

from data_service.namenode.blocks import Blocks
from data_service.namenode.commits import NO_OP, Commits, Op, Outcome, check_client, completed
from data_service.namenode.image import BLOCK_NUMBERS, INODE_NUMBERS
from data_service.namenode.inodes import Directory, Inode
from data_service.namenode.leases import Leases, Place
from data_service.namenode.namespace import Namespace, NewFile, check_mode, require_replaceable
from data_service.namenode.open_files import (
    Allocated,
    OpenFile,
    OpenFiles,
    check_block_size,
    check_position,
    deleted_row,
    deleted_rows,
)
from data_service.namenode.paths import parse, render
from data_service.namenode.permissions import WRITE, Caller, require
from data_service.namenode.quotas import Quotas
from data_service.namenode.resolver import Names, Resolver
from data_service.protocol.blocks import Block
from data_service.protocol.messages import FILE, Completed, FileStatus, OpenedFile, Target
from metadata_service.edits import Edit
from zookeeper.fabric.errors import (
    AlreadyBeingCreated,
    InvalidArgument,
    IsADirectory,
    LeaseExpired,
    NotEnoughReplicas,
    SafeMode,
)

GENERATION = 1
"""The generation of every new block; a block that is written again is another block."""


class Writing:
    """The operations of writers. Each is one call under the namenode's lock."""

    def __init__(
        self,
        resolver: Resolver,
        namespace: Namespace,
        commits: Commits,
        leases: Leases,
        files: OpenFiles,
        blocks: Blocks,
        quotas: Quotas,
    ) -> None:
        self._resolver = resolver
        self._namespace = namespace
        self._commits = commits
        self._leases = leases
        self._files = files
        self._blocks = blocks
        self._quotas = quotas

    def create(
        self,
        caller: Caller,
        op: Op,
        path: str,
        overwrite: bool,
        replication: int,
        block_size: int,
        mode: int,
        now: float,
    ) -> Outcome:
        """Open a file for writing; the result is an OpenedFile.

        Needs write on the nearest existing directory, and on the file that is overwritten.
        AlreadyBeingCreated while another client's lease on the path is not past its soft limit.
        """
        repeated = self._commits.repeated("create", op, OpenedFile._make)
        if repeated is not None:
            return repeated
        names = parse(path)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot create file{path}")
        self._check_attributes(names, replication, block_size, mode)
        directory, place = self._check_target(caller, names, overwrite)
        ended = self._overdue_writer(place, path, op[0], now)
        self._verify_quotas(directory, place, 0)
        depends = self._commits.depends_on(directory)
        for file in ended:
            self._files.close(file)
        file_id = self._commits.new_inode_number()
        new = NewFile(file_id, caller.user, overwrite, replication, block_size, mode)
        file = OpenFile(new, {})
        self._files.open(file, op[0], place, now)
        outcome = self._commits.volatile("create", op, file.opened(), deleted_rows(ended))
        self._discard(ended, outcome.edit)
        return outcome._replace(depends=max(depends, outcome.depends))

    def add_block(
        self,
        client_id: str,
        file_id: int,
        position: int,
        excluded: Iterable[str],
        writer_host: str,
        now: float,
        random: Random,
    ) -> Outcome:
        """Allocate the block at `position` (0, 1, …); the result is a LocatedBlock, no token.

        Asked again for a position, it answers the same: the first answer may have been lost. Nodes
        with an `excluded` id are not chosen. NotEnoughReplicas when no datanode can take it.
        """
        file = self._files.find(client_id, file_id)
        path = self._files.path(file)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot add block to {path}")
        anchor = self._files.anchor(file)
        self._leases.renew(client_id, now)
        check_position(position)
        if position not in file.blocks:
            new = file.new
            self._quotas.verify(anchor, 0, self._files.block_space(file))
            targets = self._blocks.choose_targets(
                new.replication, frozenset(excluded), writer_host, new.block_size, random, path
            )
            block = Block(self._commits.new_block_number(), GENERATION, 0)
            self._blocks.begin(block.block_id, GENERATION, targets, new.block_size)
            file.blocks[position] = Allocated(block, targets)
        return self._commits.volatile("add_block", NO_OP, file.located(position))

    def abandon_block(self, client_id: str, file_id: int, block_id: int) -> Outcome:
        """Give up a block of a file: its pipeline failed. Again is the same as once."""
        file = self._files.find(client_id, file_id)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot abandon block {block_id}")
        for position, (block, _) in file.blocks.items():
            if block.block_id == block_id:
                break
        else:
            return Outcome(None, None, self._commits.last_txid)
        del file.blocks[position]
        outcome = self._commits.commit("abandon_block", NO_OP, [deleted_row(block)])
        self._blocks.invalidate(block, outcome.depends)
        return outcome

    def complete(
        self, op: Op, file_id: int, blocks: Iterable[Block], now: float, wall_ms: int
    ) -> Outcome:
        """Make the file appear; the result is a Completed.

        NotEnoughReplicas until every block is confirmed by as many datanodes as it was sent to:
        the caller waits for reports and repeats the call, within its deadline.
        """
        repeated = self._commits.repeated("complete", op, completed)
        if repeated is not None:
            return repeated
        file = self._files.find(op[0], file_id)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot complete file {self._files.path(file)}")
        final = file.final_blocks(tuple(blocks))
        self._leases.renew(op[0], now)
        replicas = self._count_replicas(file, final)
        anchor, names = self._files.anchor(file), self._leases.place(file_id).names
        row, changes = self._namespace.attach(
            anchor, names, file.new, final, wall_ms, self._commits.new_inode_number
        )
        self._files.close(file)
        status = FileStatus(
            row.name, file_id, FILE, sum(block.length for block in final), row.replication,
            row.block_size, row.owner, row.grp, row.mode, wall_ms, wall_ms,
        )  # fmt: skip
        outcome = self._commits.commit("complete", op, changes, Completed(status, replicas))
        for block in final:
            self._blocks.commit(block, file_id, row.replication)
        self._files.follow(changes)
        return outcome

    def resume(
        self,
        caller: Caller,
        client_id: str,
        path: str,
        file_id: int,
        overwrite: bool,
        replication: int,
        block_size: int,
        mode: int,
        blocks: Mapping[int, Block],
        now: float,
    ) -> Outcome:
        """Take over a file from a namenode that is no more; the result is an OpenedFile.

        `blocks` are by position; those that are still being written have the length 0.
        Works in safe mode. LeaseExpired when the write cannot go on: this namenode ended it or
        completed it, one of its blocks was deleted, or another writes at the path.
        """
        check_client(client_id)
        names = parse(path)
        for position in blocks:
            check_position(position)
        presented = tuple(blocks.values())
        self._check_attributes(names, replication, block_size, mode)
        known = self._files.get(file_id)
        if known is not None:
            self._files.find(client_id, file_id)
            return Outcome(known.opened(), None, self._commits.last_txid)
        self._check_resumable(file_id, presented)
        directory, place = self._check_target(caller, names, overwrite)
        if self._leases.writer(place) is not None:
            raise LeaseExpired(f"No lease on {path}: another client writes it")
        new = NewFile(file_id, caller.user, overwrite, replication, block_size, mode)
        file = OpenFile(new, blocks)
        space = self._files.space(file, place, len(blocks))
        self._verify_quotas(directory, place, space)
        self._files.open(file, client_id, place, now)
        for block in presented:
            self._blocks.begin(block.block_id, block.generation, (), block_size)
        return Outcome(file.opened(), None, self._commits.last_txid)

    def abandon_file(self, client_id: str, file_id: int) -> Outcome:
        """Give up a file with all of its blocks. Again is the same as once."""
        if self._files.get(file_id) is None:
            return Outcome(None, None, 0)
        file = self._files.find(client_id, file_id)
        if file.blocks and self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot abandon file {self._files.path(file)}")
        return self._end("abandon_file", file)

    def renew_lease(self, client_id: str, now: float) -> bool:
        """Renew the client's lease; False when it holds none here and may have to resume."""
        return self._leases.renew(client_id, now)

    def expire_leases(self, now: float) -> List[Outcome]:
        """One round: end the files of clients that are silent for longer than the hard limit."""
        expired = self._leases.expired(now)
        if self._blocks.safe_mode:
            return []
        files = [self._files.find(self._leases.holder(file_id), file_id) for file_id in expired]
        return [self._end("expire_lease", file) for file in files]

    def _check_attributes(
        self, names: Names, replication: int, block_size: int, mode: int
    ) -> None:
        self._namespace.check_replication(replication, names)
        check_block_size(block_size)
        check_mode(mode)

    def _check_target(
        self, caller: Caller, names: Names, overwrite: bool
    ) -> Tuple[Directory, Place]:
        """Where a file of this path would appear, when the caller may make it."""
        inode, depth = self._resolver.walk(caller, names)
        above: Inode = inode
        if depth == len(names):
            if isinstance(inode, Directory):
                raise IsADirectory(f"{render(names)} already exists as a directory")
            above = inode.parent
            depth -= 1
            if overwrite:
                require(inode, caller, WRITE)
        require(above, caller, WRITE)
        if above is not inode:
            require_replaceable(inode, overwrite)
        directory = self._namespace.room_below(above, names, depth)
        return directory, Place(directory.id, names[depth:])

    def _verify_quotas(self, directory: Directory, place: Place, space: int) -> None:
        # All who write in the directory are looked at for this, so only where it matters.
        if self._quotas.apply_to(directory):
            self._quotas.verify(directory, self._files.new_names(place), space)

    def _overdue_writer(
        self, place: Place, path: str, client_id: str, now: float
    ) -> List[OpenFile]:
        """The file whose writer must give way, if any; AlreadyBeingCreated if it need not."""
        file_id = self._leases.writer(place)
        if file_id is None:
            return []
        holder = self._leases.holder(file_id)
        if not self._leases.is_overdue(holder, now):
            raise AlreadyBeingCreated(
                f"Failed to CREATE_FILE {path} for {client_id} because this file lease is "
                f"currently owned by {holder}"
            )
        return [self._files.find(holder, file_id)]

    def _check_resumable(self, file_id: int, blocks: Sequence[Block]) -> None:
        if not self._commits.was_given_out(INODE_NUMBERS, file_id):
            raise InvalidArgument(f"no file ever had the number {file_id}")
        if self._files.was_ended(file_id):
            raise LeaseExpired(f"No lease on inode {file_id}: the write has ended")
        taken = self._files.block_ids()
        for block in blocks:
            block_id = block.block_id
            if not self._commits.was_given_out(BLOCK_NUMBERS, block_id) or block.generation < 1:
                raise InvalidArgument(f"there never was a {block.name}")
            if self._files.was_deleted(block_id):
                raise LeaseExpired(f"No lease on inode {file_id}: {block.name} was deleted")
            if block_id in taken or self._blocks.get(block_id) is not None:
                raise LeaseExpired(f"No lease on inode {file_id}: {block.name} is another file's")
            taken.add(block_id)

    def _count_replicas(self, file: OpenFile, final: Sequence[Block]) -> int:
        least = file.new.replication
        for block, (_, targets) in zip(final, file.allocations()):
            found = self._blocks.confirmations(block)
            sent = self._blocks.live_nodes() if targets is None else len(targets)
            needed = min(file.new.replication, max(1, sent))
            if found < needed:
                self._repair(block, targets, file)
                raise NotEnoughReplicas(
                    f"File {self._files.path(file)} cannot be completed: {block.name} is "
                    f"confirmed by {found} of {needed} datanodes"
                )
            least = min(least, found)
        return least

    def _repair(
        self, block: Block, targets: Optional[Tuple[Target, ...]], file: OpenFile
    ) -> None:
        """Have a block copied that lost a holder while its file was being written.

        It is final, so it is treated like a block of a complete file from now on; the writer
        waits for the copies.
        """
        if targets is None or self._blocks.lost_any(targets):
            self._blocks.commit(block, file.new.file_id, file.new.replication)

    def _end(self, operation: str, file: OpenFile) -> Outcome:
        """Close a file that does not come to be."""
        self._files.close(file)
        outcome = self._commits.volatile(operation, NO_OP, None, deleted_rows([file]))
        self._discard([file], outcome.edit)
        return outcome

    def _discard(self, files: Iterable[OpenFile], edit: Optional[Edit]) -> None:
        """Have the replicas of these files removed once `edit`, which says so, is durable."""
        for file in files:
            for block, _ in file.allocations():
                assert edit is not None, f"the blocks of {file!r} are not recorded as deleted"
                self._blocks.invalidate(block, edit.txid)


def refused_in_safe_mode(refusal: str) -> SafeMode:
    """The error for a change that safe mode refuses, in HDFS's words."""
    return SafeMode(f"{refusal}. Name node is in safe mode.")
