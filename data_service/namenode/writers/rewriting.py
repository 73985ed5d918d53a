"""Changing files that exist: append, truncate, concat.

Theory of operation. A finalized block never changes. What is appended goes to new blocks behind
the last, which may be shorter than the block size; a block that a truncation cuts is replaced by a
new one with the bytes that stay. So both are writes like that of a new file (see `writing.py`),
from another tail on: readers see the file as it was until one edit changes it.

The place of such a writer is the file itself, by its inode: a rename does not matter, and when the
file is deleted the lease is gone.
"""

from typing import Mapping, Optional, Sequence

from data_service.namenode.namespace.commits import Commits, Outcome
from data_service.namenode.namespace.contents import check_source, concat, rewrite
from data_service.namenode.namespace.inodes import File
from data_service.namenode.namespace.namespace import NewFile
from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.permissions import (
    READ,
    WRITE,
    Caller,
    require,
    require_unsticky,
    require_writable,
)
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.resolver import Resolver
from data_service.namenode.namespace.retries import Op, check_client
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.writers.leases import Leases
from data_service.namenode.writers.open_files import OpenFile, OpenFiles, deleted_rows, own_place
from data_service.namenode.writers.takeover import Takeover, places_of
from data_service.namenode.writers.writing import refused_in_safe_mode
from data_service.protocol.blocks import Block
from data_service.protocol.files import OpenedFile, Tail
from zookeeper.fabric.errors import (
    AlreadyBeingCreated,
    InvalidArgument,
    IsADirectory,
    LeaseExpired,
    PathNotFound,
)


class Rewriting:
    """The operations on files that exist. Each is one call under the namenode's lock."""

    def __init__(
        self,
        resolver: Resolver,
        commits: Commits,
        leases: Leases,
        files: OpenFiles,
        blocks: Blocks,
        quotas: Quotas,
        takeover: Takeover,
    ) -> None:
        self._resolver = resolver
        self._commits = commits
        self._leases = leases
        self._files = files
        self._blocks = blocks
        self._quotas = quotas
        self._takeover = takeover

    def append(self, caller: Caller, op: Op, path: str, now: float) -> Outcome:
        """Open a file to write behind its end; the result is an OpenedFile. Needs write on it.

        AlreadyBeingCreated while another client's lease on the path is not past its soft limit.
        """
        repeated = self._commits.repeated("append", op, OpenedFile)
        if repeated is not None:
            return repeated
        names = parse(path)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot append to file{path}")
        inode, depth = self._resolver.walk(caller, names)
        if depth < len(names):
            raise PathNotFound(f"Failed to append to non-existent file {path} for client {op[0]}")
        if not isinstance(inode, File):
            raise IsADirectory(
                f"Cannot append to directory {path}; already exists as a directory."
            )
        require(inode, caller, WRITE)
        ended = self._takeover.overdue("APPEND_FILE", path, places_of(inode), op[0], now)
        return self._open("append", op, inode, _tail(inode, inode.length), ended, now)

    def truncate(
        self, caller: Caller, op: Op, path: str, length: int, now: float, wall_ms: int
    ) -> Outcome:
        """Shorten a file; the result is None when that is done.

        When `length` lies within a block it is an OpenedFile: the caller writes what stays of that
        block, see `cut_block`, as the only new block, and completes. Needs write on the file.
        AlreadyBeingCreated as for `append`.
        """
        repeated = self._commits.repeated("truncate", op, Optional[OpenedFile])
        if repeated is not None:
            return repeated
        names = parse(path)
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot truncate for {path}")
        if type(length) is not int or length < 0:
            raise InvalidArgument(f"Cannot truncate to a negative file size: {length}.")
        file = self._resolver.find_file(caller, names)
        require(file, caller, WRITE)
        ended = self._takeover.overdue("TRUNCATE_FILE", path, places_of(file), op[0], now)
        if length > file.length:
            raise InvalidArgument(
                f"Cannot truncate to a larger file size. Current size: {file.length}, "
                f"truncate size: {length}."
            )
        tail = _tail(file, length)
        if tail.offset < length:
            return self._open("truncate", op, file, tail, ended, now)
        if length == file.length and not ended:
            return self._commits.unchanged("truncate", op)
        return self._drop_blocks(op, file, tail.position, ended, wall_ms)

    def _drop_blocks(
        self, op: Op, file: File, position: int, ended: Sequence[OpenFile], wall_ms: int
    ) -> Outcome:
        for other in ended:
            self._files.close(other)
        _, changes = rewrite(file, position, (), wall_ms)
        return self._commits.commit("truncate", op, changes + deleted_rows(ended))

    def cut_block(self, client_id: str, file_id: int) -> Outcome:
        """The block that a truncation within it will replace, as a LocatedBlock without a token.

        For who holds the lease: it needs no right to read the file.
        """
        opened = self._files.find(client_id, file_id)
        file, tail = self._files.anchor(opened), opened.tail
        if not isinstance(file, File) or not tail.replaced:
            raise InvalidArgument(f"no block of {self._files.path(opened)} is cut")
        block = file.blocks[tail.position]
        located = self._blocks.census.locate(block, tail.offset)
        return Outcome(located, None, self._commits.depends_on(file))

    def concat(
        self, caller: Caller, op: Op, path: str, sources: Sequence[str], wall_ms: int
    ) -> Outcome:
        """Move the blocks of the sources, in order, to the end of the file at `path`, by one edit.

        The sources are gone then. All are in one directory, and nobody writes them. Needs write on
        the target, and to read and to delete each source.
        """
        repeated = self._commits.repeated("concat", op, None)
        if repeated is not None:
            return repeated
        if self._blocks.safe_mode:
            raise refused_in_safe_mode(f"Cannot concat {path}")
        target = self._resolver.find_file(caller, parse(path))
        require(target, caller, WRITE)
        if self._is_written(target):
            raise AlreadyBeingCreated(f"concat: target file {path} is under construction")
        files = [self._source(caller, source, target) for source in sources]
        redundancy = target.attributes.redundancy
        more = sum(redundancy.space(file.length) - file.space for file in files)
        changes = concat(target, files, wall_ms)
        self._quotas.verify(target.parent, 0, more)
        return self._commits.commit("concat", op, changes)

    def _source(self, caller: Caller, path: str, target: File) -> File:
        file = self._resolver.find_file(caller, parse(path))
        require(file, caller, READ)
        require(file.parent, caller, WRITE)
        require_unsticky(file.parent, file, caller)
        if self._is_written(file):
            raise AlreadyBeingCreated(
                f"concat: source file {path} is invalid or empty or underConstruction"
            )
        check_source(file, path, target)
        return file

    def _is_written(self, file: File) -> bool:
        """Whether somebody writes on in a file, or a new one that will take its place."""
        return any(self._leases.writer(place) is not None for place in places_of(file))

    def resume(
        self,
        caller: Caller,
        client_id: str,
        file_id: int,
        tail: Tail,
        blocks: Mapping[int, Block],
        now: float,
    ) -> Outcome:
        """Take over, from a namenode that is no more, a file that is visible; an OpenedFile.

        As `Writing.resume`, but the file goes by its number. LeaseExpired also when it is not what
        it was when it was opened. Needs write on it, or to be its owner: who made it may write it
        to the end whatever its mode.
        """
        check_client(client_id)
        if self._files.get(file_id) is not None:
            known = self._files.find(client_id, file_id)
            return Outcome(known.opened(), None, self._commits.last_txid)
        file = self._files.visible(file_id)
        require_writable(file, caller)
        if _tail(file, tail.offset) != tail:
            raise LeaseExpired(f"No lease on {file.path}: it was changed by another client")
        opened = OpenFile(_as_new(file), blocks, tail, visible=True)
        self._takeover.check_resumable(opened)
        places = places_of(file)[::-1]
        return self._takeover.resume(client_id, opened, file.path, file.parent, places, now)

    def _open(
        self,
        operation: str,
        op: Op,
        file: File,
        tail: Tail,
        ended: Sequence[OpenFile],
        now: float,
    ) -> Outcome:
        self._takeover.verify_user(op[0])
        for other in ended:
            self._files.close(other)
        opened = OpenFile(_as_new(file), {}, tail, visible=True)
        self._files.open(opened, op[0], own_place(file.id), now)
        depends = self._commits.depends_on(file)
        return self._commits.volatile(
            operation, op, opened.opened(), deleted_rows(ended), depends
        )


def _tail(file: File, offset: int) -> Tail:
    """The tail of a file at the last start of a block up to `offset`, or at its end."""
    position = start = 0
    for block in file.blocks:
        if start + block.length > offset:
            break
        position += 1
        start += block.length
    return Tail(position, start, file.length)


def _as_new(file: File) -> NewFile:
    owner, _, mode, redundancy, block_size = file.attributes
    return NewFile(file.id, owner, False, redundancy, block_size, mode)
