"""The calls about names: what is asked of the tree, and done to it."""

import time
from typing import List, Optional, Tuple

from data_service.namenode.calls.connection import Connection
from data_service.namenode.dates import wall_ms
from data_service.namenode.namespace.retries import Op
from data_service.namenode.namespace.tree_check import TreeCheck
from data_service.protocol.blocks import Block
from data_service.protocol.files import (
    ContentSummary,
    Entry,
    FileStatus,
    LocatedBlock,
    Locations,
    QuotaUsage,
)
from data_service.protocol.health import FsckRow

UNCHANGED = -1
"""In the place of a time: as it is."""


class Names:
    """Answers NamespaceCalls, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._on = connection

    def stat(self, path: str) -> FileStatus:
        """See NamespaceCalls."""
        caller = self._on.caller
        return self._on.namesystem.read(lambda state: state.reading.stat(caller, path))

    def access(self, path: str, bits: int) -> bool:
        """See NamespaceCalls."""
        caller = self._on.caller
        return self._on.namesystem.read(lambda state: state.reading.access(caller, path, bits))

    def list(self, path: str, after: str, limit: int) -> Tuple[List[FileStatus], bool]:
        """See NamespaceCalls."""
        caller = self._on.caller
        return self._on.namesystem.read(
            lambda state: state.reading.list(caller, path, after, limit)
        )

    def entry(self, path: str) -> Entry:
        """See NamespaceCalls."""
        caller = self._on.caller
        return self._on.namesystem.read(lambda state: state.reading.entry(caller, path))

    def entries(self, path: str, after: str, limit: int) -> Tuple[List[Entry], bool]:
        """See NamespaceCalls."""
        caller = self._on.caller
        return self._on.namesystem.read(
            lambda state: state.reading.entries(caller, path, after, limit)
        )

    def quota_usage(self, path: str) -> QuotaUsage:
        """See NamespaceCalls."""
        caller = self._on.caller
        check = TreeCheck()
        return self._on.namesystem.read(
            lambda state: state.reading.quota_usage(caller, path, check)
        )

    def content_summary(self, path: str) -> ContentSummary:
        """See NamespaceCalls."""
        caller = self._on.caller
        check = TreeCheck()
        return self._on.namesystem.read(
            lambda state: state.reading.content_summary(caller, path, check)
        )

    def block_locations(self, path: str, offset: int, length: int) -> Locations:
        """See NamespaceCalls."""
        caller = self._on.caller
        found: Locations = self._on.namesystem.read(
            lambda state: state.reading.block_locations(caller, path, offset, length, wall_ms())
        )
        return found._replace(blocks=self._on.tokens.for_reader(self._on.bearer, found.blocks))

    def locate_block(self, block: Block) -> Optional[LocatedBlock]:
        """See NamespaceCalls."""
        caller = self._on.caller
        located: Optional[LocatedBlock] = self._on.namesystem.read(
            lambda state: state.reading.locate_block(caller, block)
        )
        if located is None:
            return None
        return self._on.tokens.for_reader(self._on.bearer, [located])[0]

    def fsck(self, path: str, after: str, limit: int) -> "Tuple[List[FsckRow], bool]":
        """See NamespaceCalls."""
        caller = self._on.caller
        return self._on.namesystem.read(
            lambda state: state.reading.fsck(caller, path, after, limit)
        )

    def mkdir(self, op: Op, path: str, make_parents: bool, mode: int) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        self._on.namesystem.change(
            lambda state: state.mkdir(
                caller, op, path, make_parents, mode, wall_ms(), time.monotonic()
            ),
            op,
        )

    def delete(self, op: Op, path: str, recursive: bool) -> bool:
        """See NamespaceCalls."""
        caller = self._on.caller
        check = TreeCheck()
        return self._on.namesystem.change(
            lambda state: state.delete(caller, op, path, recursive, wall_ms(), check), op
        )

    def rename(self, op: Op, source: str, destination: str, overwrite: bool = False) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        self._on.namesystem.change(
            lambda state: state.rename(
                caller, op, source, destination, wall_ms(), time.monotonic(), overwrite
            ),
            op,
        )

    def set_replication(self, op: Op, path: str, replication: int) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        self._on.namesystem.change(
            lambda state: state.set_replication(caller, op, path, replication), op
        )

    def set_mode(self, op: Op, path: str, mode: int) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        self._on.namesystem.change(lambda state: state.set_mode(caller, op, path, mode), op)

    def set_owner(self, op: Op, path: str, owner: str, group: str) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        self._on.namesystem.change(
            lambda state: state.set_owner(caller, op, path, owner, group), op
        )

    def set_times(self, op: Op, path: str, mtime_ms: int, atime_ms: int) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        times = [None if time_ms == UNCHANGED else time_ms for time_ms in (mtime_ms, atime_ms)]
        self._on.namesystem.change(lambda state: state.set_times(caller, op, path, *times), op)

    def set_quota(self, op: Op, path: str, name_quota: int, space_quota: int) -> None:
        """See NamespaceCalls."""
        caller = self._on.caller
        self._on.namesystem.change(
            lambda state: state.set_quota(caller, op, path, name_quota, space_quota), op
        )
