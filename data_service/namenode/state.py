"""The namenode's core: everything that it decides, without a socket, file, thread or clock.

How to use it, all of it under one lock:

    state.commits.note_durable(journal.durable_txid)
    outcome = state.writing.create(...)          # Or any other method that returns an Outcome.
    if outcome.edit: journal.submit(outcome.edit)

and, the lock released: wait until `outcome.depends` is durable, then reply `outcome.result`.
Edits carry their txid and must be submitted in the order in which they were made. A DfsError may
tell of a pending change too: before it is raised to a caller, wait for the `commits.last_txid`
of the moment when it was raised.

`Op` names a call (client id, number), so that its repetition has one effect and one answer.
`now` is monotonic seconds, `wall_ms` milliseconds since 1970; paths are absolute text.
"""

from typing import Iterable, List, Mapping, Optional, Sequence

from data_service.namenode.delegating import Delegating
from data_service.namenode.inspecting import Inspecting
from data_service.namenode.namespace.commits import Commits, Outcome, require_recordable
from data_service.namenode.namespace.effects import Effects, Kept, digests_in, effects_of_all
from data_service.namenode.namespace.image import DIGESTS, Image
from data_service.namenode.namespace.namespace import Namespace
from data_service.namenode.namespace.orphans import forget, purge
from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.resolver import Resolver
from data_service.namenode.namespace.retries import NO_OP, Op
from data_service.namenode.namespace.tree_check import TreeCheck
from data_service.namenode.reading import Reading
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.replicas.safe_mode import MANUAL_REASON
from data_service.namenode.writers.leases import Leases
from data_service.namenode.writers.open_files import OpenFile, OpenFiles, deleted_rows
from data_service.namenode.writers.reservations import Reservations
from data_service.namenode.writers.rewriting import Rewriting
from data_service.namenode.writers.takeover import Takeover
from data_service.namenode.writers.writing import Writing, refused_in_safe_mode
from metadata_service.edits import Change, Edit, Row
from zookeeper.fabric.errors import DfsError, SafeMode, StartingUp


class State:
    """Composes namespace, leases and blocks. Readers use `reading`, writers `writing`, and
    `rewriting` to change files that exist.

    `superuser` and `supergroup` own the root directory of a new file system.
    """

    def __init__(
        self,
        blocks: Blocks,
        superuser: str,
        supergroup: str,
        soft_limit_seconds: float = 60.0,
        hard_limit_seconds: float = 1200.0,
        replication_max: int = 512,
    ) -> None:
        self.image = Image(superuser, supergroup)
        self.blocks = blocks
        self.commits = Commits(self.image, self._follow)
        blocks.tell_unknown(self.commits.pass_over_block)
        leases = Leases(soft_limit_seconds, hard_limit_seconds)
        resolver = Resolver(self.image.root, self.image.changes)
        self.open_files = OpenFiles(self.image, leases)
        reservations = Reservations(self.image, leases, self.open_files)
        quotas = Quotas(self.image.usage, reservations.of)
        self.delegating = Delegating(self.image, self.commits)
        self._namespace = Namespace(resolver, quotas, replication_max)
        self.reading = Reading(self.image, resolver, self.commits, blocks, quotas)
        self.inspecting = Inspecting(
            self.image, resolver, self.commits, self.open_files, blocks
        )
        self._takeover = takeover = Takeover(
            self.commits, leases, self.open_files, blocks, quotas, reservations
        )
        self.writing = Writing(
            resolver, self._namespace, self.commits, leases, self.open_files, blocks, takeover
        )  # fmt: skip
        self.rewriting = Rewriting(
            resolver, self.commits, leases, self.open_files, blocks, quotas, takeover
        )

    def load(
        self,
        tables: Mapping[str, Iterable[Row]],
        edits: Iterable[Edit],
        last_txid: int,
    ) -> None:
        """Start from what is stored: each table's rows ordered by key, and the latest edits.

        Tells the block side every block; `blocks.loaded` is left to the caller. CorruptData when
        the rows do not fit together.
        """
        self.image.load(tables)
        self.commits.start(last_txid, edits)
        self.open_files.start()
        kept, deleted, *_ = effects_of_all(self.image)
        self.blocks.load(kept, deleted, last_txid)
        for block_id, digest in digests_in(tables[DIGESTS]):
            self.blocks.seal(block_id, digest)

    def replay(self, edits: Iterable[Edit]) -> None:
        """Follow the namenode that leads: carry out its edits, which are durable, in their order.

        Nothing else may change the state meanwhile, and nobody writes here.
        """
        for edit in edits:
            self.commits.replay(edit)
        self.open_files.start()

    def lead(self, epoch: int, now: float, leap: int = 0) -> None:
        """This namenode leads from now on, in this epoch; `leap`: see `Commits.lead`."""
        self.commits.lead(leap)
        self.open_files.start()
        self.blocks.lead(epoch, now)

    def stand_by(self) -> None:
        """Another namenode leads from now on. All edits of this one are recorded, so the image is
        true; what no edit has, such as who writes, is forgotten as by an end."""
        written = self.open_files.block_ids()
        self.open_files.stand_by()
        self.reading.access_times.forget()
        self.commits.stand_by()
        self.blocks.stand_by()
        for block_id in written:
            self.blocks.disown(block_id)

    def mkdir(
        self,
        caller: Caller,
        op: Op,
        path: str,
        make_parents: bool,
        mode: int,
        wall_ms: int,
        now: float,
    ) -> Outcome:
        """Make a directory, with its parents if asked to; then an existing one is no error.

        Not where somebody writes a file.
        """
        repeated = self._repeated("mkdir", op, f"Cannot create directory {path}")
        if repeated is not None:
            return repeated
        parent, missing = self._namespace.find_missing(caller, parse(path), make_parents, mode)
        if not missing:
            return self.commits.unchanged("mkdir", op)
        ended = self._takeover.clear_way(path, parent.id, missing, now)
        changes = self._namespace.mkdir(
            caller, parent, missing, mode, wall_ms, self.commits.new_inode_number
        )
        return self.commits.commit("mkdir", op, self._ending(changes, ended))

    def delete(
        self,
        caller: Caller,
        op: Op,
        path: str,
        recursive: bool,
        wall_ms: int,
        check: Optional[TreeCheck] = None,
    ) -> Outcome:
        """Delete a path; the result says whether there was one. Constant time (see `purge_step`)
        for the superuser; for others by `check` raises Unfinished, if they give one."""
        repeated = self._repeated("delete", op, f"Cannot delete {path}")
        if repeated is not None:
            return repeated
        changes = self._namespace.delete(caller, parse(path), recursive, wall_ms, check)
        if changes is None:
            return self.commits.unchanged("delete", op, False)
        return self.commits.commit("delete", op, changes, True)

    def rename(
        self,
        caller: Caller,
        op: Op,
        source: str,
        destination: str,
        wall_ms: int,
        now: float,
        overwrite: bool = False,
    ) -> Outcome:
        """Move an inode to a path that nobody writes, and that does not exist, or with `overwrite`
        may be replaced.

        Constant time, whatever is below it.
        """
        repeated = self._repeated("rename", op, f"Cannot rename {source}")
        if repeated is not None:
            return repeated
        row, changes = self._namespace.rename(
            caller, parse(source), parse(destination), wall_ms, overwrite
        )
        ended = self._takeover.give_way(destination, row.parent, row.name, now)
        return self.commits.commit("rename", op, self._ending(changes, ended))

    def set_mode(self, caller: Caller, op: Op, path: str, mode: int) -> Outcome:
        """Set the permission bits of a path."""
        repeated = self._repeated("set_mode", op, f"Cannot set permission for {path}")
        if repeated is not None:
            return repeated
        changes = self._namespace.set_mode(caller, parse(path), mode)
        return self.commits.commit("set_mode", op, changes)

    def set_owner(self, caller: Caller, op: Op, path: str, owner: str, group: str) -> Outcome:
        """Set owner and group of a path; an empty one stays as it is."""
        repeated = self._repeated("set_owner", op, f"Cannot set owner for {path}")
        if repeated is not None:
            return repeated
        changes = self._namespace.set_owner(caller, parse(path), owner, group)
        return self.commits.commit("set_owner", op, changes)

    def set_times(
        self, caller: Caller, op: Op, path: str, mtime_ms: Optional[int], atime_ms: Optional[int]
    ) -> Outcome:
        """Set the times of a path; None leaves one as it is."""
        repeated = self._repeated("set_times", op, f"Cannot set times {path}")
        if repeated is not None:
            return repeated
        changes = self._namespace.set_times(caller, parse(path), mtime_ms, atime_ms)
        return self.commits.commit("set_times", op, changes)

    def set_replication(self, caller: Caller, op: Op, path: str, replication: int) -> Outcome:
        """Set the replication of a file; replicas are made or removed in the background."""
        repeated = self._repeated("set_replication", op, f"Cannot set replication for {path}")
        if repeated is not None:
            return repeated
        changes = self._namespace.set_replication(caller, parse(path), replication)
        return self.commits.commit("set_replication", op, changes)

    def set_quota(
        self, caller: Caller, op: Op, path: str, name_quota: int, space_quota: int
    ) -> Outcome:
        """Set or clear a directory's quotas: see QUOTA_RESET and QUOTA_UNCHANGED."""
        repeated = self._repeated("set_quota", op, f"Cannot set quota on {path}")
        if repeated is not None:
            return repeated
        changes = self._namespace.set_quota(caller, parse(path), name_quota, space_quota)
        if not changes:
            return self.commits.unchanged("set_quota", op)
        return self.commits.commit("set_quota", op, changes)

    def purge_step(self, limit: int) -> Optional[Outcome]:
        """Take apart a piece of what was deleted, about `limit` rows; None: nothing to do now."""
        if self.blocks.safe_mode or not self.image.orphans.children:
            return None
        return self.commits.commit("purge", NO_OP, purge(self.image.orphans, limit))

    def forget_deleted(self, limit: int) -> Optional[Outcome]:
        """Forget deleted blocks whose replicas are confirmed to be gone; None: nothing to do."""
        if self.blocks.safe_mode:
            return None
        gone = self.blocks.confirmed_deletions(limit)
        return self.commits.commit("forget", NO_OP, forget(gone)) if gone else None

    def store_access_times(self, limit: int) -> Optional[Outcome]:
        """Store when up to `limit` files were opened; None: nothing to do."""
        if self.blocks.safe_mode:
            return None
        changes = self.reading.access_times.take(limit)
        return self.commits.commit("access", NO_OP, changes) if changes else None

    def check(self) -> None:
        """Assert every invariant of every part."""
        self.reading.access_times.check()
        self.image.check()
        self.commits.check()
        self.open_files.check()
        self.blocks.check()
        self._check_blocks()

    def _check_blocks(self) -> None:
        """Assert that the block side knows what the rows say, and else what is being written."""
        kept, deleted, *_ = effects_of_all(self.image)
        census = self.blocks.census
        tracked = {row[0].block_id: Kept(*row) for row in census.tracked()}
        for block, inode_id, redundancy in kept:
            known = tracked.pop(block.block_id, None)
            assert known == (block, inode_id, redundancy), f"{block.name}: {known}"
        assert tracked.keys() <= self.open_files.block_ids(), f"of no file: {sorted(tracked)}"
        assert set(census.deleted()) == set(deleted), "deleted blocks"

    def __repr__(self) -> str:
        return f"<State {self.image!r} {self.commits!r} {self.open_files!r}>"

    def explained(self, error: DfsError) -> DfsError:
        """A refusal as its caller shall hear it: one by the safe mode of a start will pass."""
        if type(error) is SafeMode and self.blocks.safe_mode_reason(0.0) != MANUAL_REASON:
            return StartingUp(error.message)
        return error

    def _ending(self, changes: List[Change], ended: List[OpenFile]) -> List[Change]:
        """These changes, with the end of writers who give way to them."""
        changes = changes + deleted_rows(ended)
        # Those below a directory's path may be many. Nobody's write ends by what is refused.
        require_recordable(changes)
        for file in ended:
            self.open_files.close(file)
        return changes

    def _repeated(self, operation: str, op: Op, refusal: str) -> Optional[Outcome]:
        """The outcome of this very call, when it was made before; else SafeMode in safe mode."""
        repeated = self.commits.repeated(operation, op, Optional[bool])
        if repeated is None and self.blocks.safe_mode:
            raise refused_in_safe_mode(refusal)
        return repeated

    def _follow(self, changes: Sequence[Change], effects: Effects, txid: int) -> None:
        """An edit was applied to the image: what else follows from it."""
        self._tell_blocks(effects, txid)
        self.open_files.follow(changes)

    def _tell_blocks(self, effects: Effects, txid: int) -> None:
        for block, inode_id, redundancy in effects.kept:
            digest = effects.digests.get(block.block_id, b"")
            self.blocks.track(block, inode_id, redundancy, txid, digest)
        for block_id in effects.deleted:
            self.blocks.invalidate(block_id, txid)
        for block_id in effects.forgotten:
            self.blocks.forget(block_id)
