"""Writing files: create, add blocks, flush, complete; leases, and going on after a restart.

Theory of operation. A file that is being written is soft state and nobody sees it. `complete`
checks everything again, under the lock, and makes the file appear by one edit. So a file appears
whole or not at all, and a file that is overwritten keeps its content until then. Blocks that end
in no file are recorded as deleted before any replica is removed.

Who wants to be read earlier asks for it: `flush` is a `complete` after which the lease goes on.
From then on the file is like one that was opened to append (see `rewriting.py`): visible up to
what was flushed, whatever becomes of its writer.

A file's place is an inode with names below it (see `leases.py`), never a path. When a directory
above is renamed, the file appears below its new name; when it is deleted, the lease is gone.
"""

from random import Random
from typing import Iterable, List, Mapping, Sequence, Tuple

from data_service.namenode.namespace.commits import Commits, Outcome
from data_service.namenode.namespace.contents import rewrite
from data_service.namenode.namespace.inodes import Directory, File, Inode, InodeRow
from data_service.namenode.namespace.namespace import (
    Namespace,
    NewFile,
    check_mode,
    require_replaceable,
)
from data_service.namenode.namespace.orphans import give_up
from data_service.namenode.namespace.paths import parse, render
from data_service.namenode.namespace.permissions import (
    WRITE,
    Caller,
    require,
    require_writable,
)
from data_service.namenode.namespace.resolver import Names, Resolver
from data_service.namenode.namespace.retries import NO_OP, Op, check_client
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.writers.confirmations import Confirmations
from data_service.namenode.writers.leases import Leases, Place
from data_service.namenode.writers.open_files import (
    Allocated,
    OpenFile,
    OpenFiles,
    check_block_size,
    check_position,
    deleted_rows,
)
from data_service.namenode.writers.takeover import Takeover, places_of
from data_service.protocol.blocks import Block, SealedBlock, Told
from data_service.protocol.files import FILE, Completed, FileStatus, OpenedFile
from data_service.protocol.redundancy import replicated
from metadata_service.edits import Change
from zookeeper.fabric.errors import (
    IsADirectory,
    LeaseExpired,
    PathExists,
    SafeMode,
)


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
        takeover: Takeover,
    ) -> None:
        self._resolver = resolver
        self._namespace = namespace
        self._commits = commits
        self._leases = leases
        self._files = files
        self._blocks = blocks
        self._takeover = takeover
        self._confirmations = Confirmations(blocks)

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
        repeated = self._commits.repeated("create", op, OpenedFile)
        if repeated is not None:
            return repeated
        names = parse(path)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot create file{path}")
        self._check_attributes(names, replication, block_size, mode)
        directory, places, replaces = self._check_target(caller, names, overwrite)
        ended = self._takeover.overdue("CREATE_FILE", path, places, op[0], now)
        ended += self._takeover.clear_way(path, places[0].anchor, places[0].names[:-1], now)
        self._takeover.verify_user(op[0])
        self._takeover.verify_place(directory, places[0], 0)
        depends = self._commits.depends_on(directory)
        for file in ended:
            self._files.close(file)
        file_id = self._commits.new_inode_number()
        redundancy = replicated(replication)
        new = NewFile(file_id, caller.user, overwrite, redundancy, block_size, mode, replaces)
        file = OpenFile(new, {})
        self._files.open(file, op[0], places[0], now)
        return self._commits.volatile("create", op, file.opened(), deleted_rows(ended), depends)

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
        check_position(position, file.tail.position)
        if position not in file.blocks:
            new = file.new
            directory = anchor.parent if isinstance(anchor, File) else anchor
            self._confirmations.require_progress(file, path)
            self._takeover.verify_block(directory, file)
            targets = self._blocks.choose_targets(
                new.redundancy.targets, frozenset(excluded), writer_host, new.block_size, random,
                path,
            )
            block = Block(self._commits.new_block_number(), self._blocks.epoch, 0)
            self._blocks.begin(*block[:2], targets, new.block_size)
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
        return self._commits.commit("abandon_block", NO_OP, give_up([block]))

    def complete(
        self,
        caller: Caller,
        op: Op,
        file_id: int,
        blocks: Iterable[Told],
        now: float,
        wall_ms: int,
    ) -> Outcome:
        """Make the file appear, whole, and end its lease; the result is a Completed.

        Needs what `create` or `append` needed, as things are now: see `_visible`.
        NotEnoughReplicas until every block is confirmed by as many datanodes as it shall have, or
        as there are that can have it: the caller waits and repeats the call, within its deadline.
        """
        return self._publish("complete", caller, op, file_id, blocks, now, wall_ms)

    def flush(
        self,
        caller: Caller,
        op: Op,
        file_id: int,
        blocks: Iterable[Told],
        now: float,
        wall_ms: int,
    ) -> Outcome:
        """Make visible what was written so far, as `complete` does, and keep the file open."""
        return self._publish("flush", caller, op, file_id, blocks, now, wall_ms)

    def _publish(
        self,
        deed: str,
        caller: Caller,
        op: Op,
        file_id: int,
        blocks: Iterable[Told],
        now: float,
        wall_ms: int,
    ) -> Outcome:
        repeated = self._commits.repeated(deed, op, Completed)
        if repeated is not None:
            return repeated
        file = self._files.find(op[0], file_id)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot {deed} file {self._files.path(file)}")
        final = file.final_blocks(tuple(blocks))
        self._leases.renew(op[0], now)
        replicas = self._confirmations.require_all(file, final, self._files.path(file))
        row, changes = self._visible(caller, file, final, wall_ms)
        status = FileStatus(
            row.name, file_id, FILE, file.tail.offset + sum(block.length for block in final),
            row.replication, row.block_size, row.owner, row.grp, row.mode,
            row.mtime_ms, row.atime_ms,
        )  # fmt: skip
        outcome = self._commits.commit(deed, op, changes, Completed(status, replicas))
        if deed == "complete":
            self._files.close(file)
        else:
            self._files.settle(file, final)
        return outcome

    def _visible(
        self, caller: Caller, file: OpenFile, final: Sequence[SealedBlock], wall_ms: int
    ) -> Tuple[InodeRow, List[Change]]:
        """The file's row, and all changes that it takes.

        A new file needs what creating it takes. One that is visible can be written to the end by
        its owner, whatever its mode, and by others while they may write it.
        """
        anchor = self._files.anchor(file)
        if isinstance(anchor, File):
            require_writable(anchor, caller)
            return rewrite(anchor, file.tail.position, final, wall_ms)
        names = self._leases.place(file.new.file_id).names
        return self._namespace.attach(
            caller, anchor, names, file.new, final, wall_ms, self._commits.new_inode_number
        )

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
        replaces: int,
        blocks: Mapping[int, Block],
        now: float,
    ) -> Outcome:
        """Take over a file from a namenode that is no more; the result is an OpenedFile.

        `blocks` are by position; those that are still being written have the length 0.
        `replaces` is what `create` told: PathExists when another file stands there by now.
        Works in safe mode. LeaseExpired when the write cannot go on: this namenode ended it or
        completed it, one of its blocks was deleted, or another writes at the path.
        """
        check_client(client_id)
        names = parse(path)
        self._check_attributes(names, replication, block_size, mode)
        known = self._files.get(file_id)
        if known is not None:
            self._files.find(client_id, file_id)
            return Outcome(known.opened(), None, self._commits.last_txid)
        redundancy = replicated(replication)
        new = NewFile(file_id, caller.user, overwrite, redundancy, block_size, mode, replaces)
        file = OpenFile(new, blocks)
        self._takeover.check_resumable(file)
        if self._files.exists(file_id):
            raise LeaseExpired(f"No lease on inode {file_id}: the write has ended")
        directory, places, found = self._check_target(caller, names, overwrite)
        if found not in (0, replaces):
            raise PathExists(f"{path} already exists: it came there while it was written anew")
        return self._takeover.resume(client_id, file, path, directory, places, now)

    def abandon_file(self, client_id: str, file_id: int) -> Outcome:
        """Give up a file with all of its blocks that are not visible. Again is the same as once."""
        if self._files.get(file_id) is None:
            return Outcome(None, None, 0)
        file = self._files.find(client_id, file_id)
        if file.blocks and self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot abandon file {self._files.path(file)}")
        return self._takeover.end("abandon_file", file)

    def arrive(self, client_id: str, host: str) -> Outcome:
        """A client calls on a connection for the first time."""
        self._leases.arrive(client_id, host)
        return Outcome(None, None, 0)

    def part(self, client_id: str, by_client: bool, now: float) -> Outcome:
        """A connection on which a client called is over; whether the client ended it, or died."""
        self._leases.part(client_id, by_client, now)
        return Outcome(None, None, 0)

    def renew_lease(self, client_id: str, now: float) -> bool:
        """Renew the client's lease; False when it holds none here and may have to resume."""
        return self._leases.renew(client_id, now)

    def expire_leases(self, now: float) -> List[Outcome]:
        """One round: end the files of clients that are silent for longer than the hard limit."""
        expired = self._leases.expired(now)
        if self._blocks.safe_mode:
            return []
        files = [self._files.find(self._leases.holder(file_id), file_id) for file_id in expired]
        return [self._takeover.end("expire_lease", file) for file in files]

    def _check_attributes(
        self, names: Names, replication: int, block_size: int, mode: int
    ) -> None:
        self._namespace.check_replication(replication, names)
        check_block_size(block_size)
        check_mode(mode)

    def _check_target(
        self, caller: Caller, names: Names, overwrite: bool
    ) -> Tuple[Directory, Tuple[Place, ...], int]:
        """Where a file of this path would appear, when the caller may make it, and the number of
        the file that stands there, or 0.

        The first place is its own; another writer at any of them would be in its way.
        """
        inode, depth = self._resolver.walk(caller, names)
        above: Inode = inode
        if depth == len(names):
            if isinstance(inode, Directory):
                raise IsADirectory(f"{render(names)} already exists as a directory")
            above = inode.parent
            depth -= 1
        require(above, caller, WRITE)
        if above is not inode:
            require_replaceable(inode, caller, overwrite)
        directory = self._namespace.room_below(above, names, depth)
        if above is not inode:
            return directory, places_of(inode), inode.id
        return directory, (Place(directory.id, names[depth:]),), 0


def refused_in_safe_mode(refusal: str) -> SafeMode:
    """The error for a change that safe mode refuses, in HDFS's words."""
    return SafeMode(f"{refusal}. Name node is in safe mode.")
