"""One writer a file: whom another must wait for, who may go on, and what becomes of the others."""

from typing import Callable, Iterable, List, Sequence, Tuple

from data_service.namenode.namespace.commits import Commits, Outcome
from data_service.namenode.namespace.image import BLOCK_NUMBERS, INODE_NUMBERS
from data_service.namenode.namespace.inodes import Directory, Inode
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.resolver import Names
from data_service.namenode.namespace.retries import NO_OP, user_of
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.writers.leases import Leases, Place
from data_service.namenode.writers.open_files import (
    OpenFile,
    OpenFiles,
    check_position,
    deleted_rows,
    own_place,
)
from data_service.namenode.writers.reservations import Reservations
from zookeeper.fabric.errors import (
    AlreadyBeingCreated,
    Busy,
    DfsError,
    InvalidArgument,
    LeaseExpired,
    NotADirectory,
    PathExists,
    QuotaExceeded,
)

OPEN_FILES_MAX = 20_000
"""The most files that one user has open for writing: they stand in memory only."""


class Takeover:
    """Who holds a place, and the end of writers who give way, give up, or fall silent."""

    def __init__(
        self,
        commits: Commits,
        leases: Leases,
        files: OpenFiles,
        blocks: Blocks,
        quotas: Quotas,
        reservations: Reservations,
    ) -> None:
        self._commits = commits
        self._leases = leases
        self._files = files
        self._blocks = blocks
        self._quotas = quotas
        self._reservations = reservations

    def overdue(
        self, deed: str, path: str, places: Iterable[Place], client_id: str, now: float
    ) -> List[OpenFile]:
        """The files at these places, whose writers must give way to `deed`.

        AlreadyBeingCreated when one of them need not. The caller closes these files and records
        that their blocks are deleted.
        """
        found = (self._leases.writer(place) for place in places)
        return self._overdue_of(
            [file_id for file_id in found if file_id is not None], path, now,
            lambda holder: AlreadyBeingCreated(
                f"Failed to {deed} {path} for {client_id} because this file lease is currently "
                f"owned by {holder}"
            ),
        )  # fmt: skip

    def give_way(self, path: str, anchor: int, name: str, now: float) -> List[OpenFile]:
        """The files that will appear at or below an entry which is to be taken by another inode,
        and whose writers must give way to it; PathExists when one of them need not.

        As for HDFS, which holds the name of a file from its creation on. As in `overdue`, the
        caller records their end.
        """
        return self._overdue_of(
            self._leases.files_through(anchor, name), path, now,
            lambda holder: PathExists(
                f"rename destination {path} already exists: it is being written by {holder}"
            ),
        )  # fmt: skip

    def clear_way(self, path: str, anchor: int, names: Names, now: float) -> List[OpenFile]:
        """The files that will appear where a directory is to be made, at the entry `names[0]` of
        an anchor or at any of those below it, and whose writers must give way; NotADirectory when
        one of them need not.

        As in HDFS, where it is a file already: who wrote it would end with bytes and no place for
        them. As in `overdue`, the caller records their end.
        """
        places = (Place(anchor, names[:count]) for count in range(1, len(names) + 1))
        found = (self._leases.writer(place) for place in places)
        return self._overdue_of(
            [file_id for file_id in found if file_id is not None], path, now,
            lambda holder: NotADirectory(
                f"{path} cannot be made: a file on the way to it is being written by {holder}"
            ),
        )  # fmt: skip

    def _overdue_of(
        self, file_ids: Sequence[int], path: str, now: float, refusal: Callable[[str], DfsError]
    ) -> List[OpenFile]:
        """These files, whose writers must give way; the refusal, told of a writer who need not, or
        Busy when he has just hung up: soon he is gone, or back."""
        for file_id in file_ids:
            holder = self._leases.holder(file_id)
            if self._leases.is_overdue(holder, now):
                continue
            if self._leases.is_leaving(holder, now):
                raise Busy(f"the writer of {path}, {holder}, seems to have ended: ask again")
            raise refusal(self._leases.describe(holder, now))
        return [self._files.find(self._leases.holder(file_id), file_id) for file_id in file_ids]

    def verify_user(self, client_id: str) -> None:
        """Raise QuotaExceeded when a client's user has as many files open as one may have."""
        user = user_of(client_id)
        if self._leases.count(user) >= OPEN_FILES_MAX:
            raise QuotaExceeded(
                f"User {user} has {OPEN_FILES_MAX} files open for writing, which is the most: "
                "complete or abandon some (dfsadmin -listOpenFiles shows them)"
            )

    def verify_place(self, directory: Directory, place: Place, space: int) -> None:
        """Raise QuotaExceeded when a file at a place in a directory cannot have so many bytes."""
        # All who write in the directory are looked at for this, so only where it matters.
        if self._quotas.apply_to(directory):
            self._quotas.verify(directory, self._reservations.new_names(place), space)

    def verify_block(self, directory: Directory, file: OpenFile) -> None:
        """Raise QuotaExceeded when a file in a directory cannot have one more block."""
        if self._quotas.apply_to(directory):
            self._quotas.verify(directory, 0, self._reservations.block_space(file))

    def resume(
        self,
        client_id: str,
        file: OpenFile,
        path: str,
        directory: Directory,
        places: Sequence[Place],
        now: float,
    ) -> Outcome:
        """Give a file that is resumable back to its client, at the first of these places.

        LeaseExpired when another client has one of them; the result is an OpenedFile.
        """
        if any(self._leases.writer(place) is not None for place in places):
            raise LeaseExpired(f"No lease on {path}: another client writes it")
        space = self._reservations.space(file, places[0], len(file.blocks))
        self.verify_place(directory, places[0], space)
        self._files.open(file, client_id, places[0], now)
        for block, _ in file.allocations():
            self._blocks.begin(block.block_id, block.generation, (), file.new.block_size)
        return Outcome(file.opened(), None, self._commits.last_txid)

    def check_resumable(self, file: OpenFile) -> None:
        """Raise LeaseExpired when the write of a file that is not open here cannot go on, and
        InvalidArgument when there never was such a write."""
        file_id = file.new.file_id
        if not self._commits.was_given_out(INODE_NUMBERS, file_id):
            raise InvalidArgument(f"no file ever had the number {file_id}")
        if self._files.was_ended(file_id):
            raise LeaseExpired(f"No lease on inode {file_id}: the write has ended")
        taken = self._files.block_ids()
        for position, (block, _) in file.blocks.items():
            check_position(position, file.tail.position)
            block_id = block.block_id
            known = 1 <= block.generation <= self._blocks.epoch
            if not known or not self._commits.was_given_out(BLOCK_NUMBERS, block_id):
                raise InvalidArgument(f"there never was a {block.name}")
            if self._files.was_deleted(block_id):
                raise LeaseExpired(f"No lease on inode {file_id}: {block.name} was deleted")
            if block_id in taken or self._blocks.get(block_id) is not None:
                raise LeaseExpired(f"No lease on inode {file_id}: {block.name} is another file's")
            taken.add(block_id)

    def end(self, operation: str, file: OpenFile) -> Outcome:
        """Close a file: what of it was not visible yet never will be."""
        self._files.close(file)
        return self._commits.volatile(operation, NO_OP, None, deleted_rows([file]))


def places_of(inode: Inode) -> Tuple[Place, Place]:
    """Where a file that exists may be written: by a new one in its place, or at its own end."""
    return Place(inode.parent.id, (inode.name,)), own_place(inode.id)
