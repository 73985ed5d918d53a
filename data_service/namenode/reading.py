"""What readers ask. Nothing here changes the image, and safe mode refuses none of it, except to
tell where a block is of which no datanode has told yet.

Every answer is an Outcome without an edit; its `depends` says which pending edit it would reveal.
"""

from typing import Any, Callable, List, Optional

from data_service.namenode.namespace.access_times import AccessTimes
from data_service.namenode.namespace.commits import Commits, Outcome
from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.inodes import Directory, File, Inode
from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.permissions import (
    ALL,
    READ,
    READ_EXECUTE,
    Caller,
    allows,
    denied_block,
    require,
)
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.resolver import Names, Resolver
from data_service.namenode.namespace.tree_check import TreeCheck
from data_service.namenode.replicas.blocks import Blocks
from data_service.protocol.blocks import Block
from data_service.protocol.files import (
    NAME_QUOTA_MAX,
    QUOTA_RESET,
    Entry,
    LocatedBlock,
    Locations,
    QuotaUsage,
)
from data_service.protocol.health import FsckRow
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied, SafeMode

PAGE_MAX = 10_000
"""The most rows of one answer, whatever the caller asks for."""


class Reading:
    """The operations that only look."""

    def __init__(
        self,
        image: Image,
        resolver: Resolver,
        commits: Commits,
        blocks: Blocks,
        quotas: Quotas,
    ) -> None:
        self.access_times = AccessTimes(image)
        self._image = image
        self._resolver = resolver
        self._commits = commits
        self._blocks = blocks
        self._quotas = quotas

    def stat(self, caller: Caller, path: str) -> Outcome:
        """The FileStatus of a path."""
        inode = self._resolver.find(caller, parse(path))
        return Outcome(inode.status(), None, self._commits.depends_on(inode))

    def entry(self, caller: Caller, path: str) -> Outcome:
        """The Entry of a path."""
        inode = self._resolver.find(caller, parse(path))
        return Outcome(_entry(inode), None, self._commits.depends_on(inode))

    def access(self, caller: Caller, path: str, bits: int) -> Outcome:
        """Whether the caller may do all of `bits` (READ, WRITE, EXECUTE) to a path."""
        if type(bits) is not int or not 0 <= bits <= ALL:
            raise InvalidArgument(f"access must be between 0 and {ALL}")
        inode = self._resolver.find(caller, parse(path))
        return Outcome(allows(inode, caller, bits), None, self._commits.depends_on(inode))

    def list(self, caller: Caller, path: str, after: str, limit: int) -> Outcome:
        """A page of a directory: (list of FileStatus in order of names, whether more follow).

        The page starts behind the name `after`; that name need not exist (any more). The path of
        a file gives its own status.
        """
        return self._page(caller, path, after, limit, lambda inode: inode.status())

    def entries(self, caller: Caller, path: str, after: str, limit: int) -> Outcome:
        """The same page with an Entry for each FileStatus."""
        return self._page(caller, path, after, limit, _entry)

    def _page(
        self, caller: Caller, path: str, after: str, limit: int, tell: Callable[[Inode], Any]
    ) -> Outcome:
        limit = _check_limit(limit)
        if type(after) is not str:
            raise InvalidArgument("a page starts behind a name")
        inode = self._resolver.find(caller, parse(path))
        depends = self._commits.depends_on(inode)
        if not isinstance(inode, Directory):
            return Outcome(([tell(inode)], False), None, depends)
        require(inode, caller, READ_EXECUTE)
        page, more = inode.page(after, limit)
        depends = max(depends, self._commits.depends_on_all(page))
        return Outcome(([tell(child) for child in page], more), None, depends)

    def block_locations(
        self, caller: Caller, path: str, offset: int, length: int, wall_ms: int = 0
    ) -> Outcome:
        """The blocks that hold `length` bytes from `offset` of a file, as Locations, no tokens.

        `wall_ms` is when somebody opens the file to read it; 0 is a look that nobody notes.
        """
        if type(offset) is not int or type(length) is not int or offset < 0 or length < 0:
            raise InvalidArgument("offset and length must be integers from 0")
        file = self._resolver.find_file(caller, parse(path))
        require(file, caller, READ)
        self.access_times.note(file, wall_ms)
        located: List[LocatedBlock] = []
        start = 0
        for block in file.blocks:
            if max(start, offset) < min(start + block.length, offset + length):
                located.append(self._locate(path, block, start))
            start += block.length
        answer = Locations(file.status(), tuple(located))
        return Outcome(answer, None, self._commits.depends_on(file))

    def _locate(self, path: str, block: Block, start: int) -> LocatedBlock:
        found = self._blocks.census.locate(block, start)
        if not found.targets and self._blocks.safe_mode:
            # It is not lost: who has it will say so soon, and the reader waits for that.
            raise SafeMode(f"Zero blocklocations for {path}. Name node is in safe mode.")
        return found

    def locate_block(self, caller: Caller, block: Block) -> Outcome:
        """A block as a LocatedBlock, no token, wherever its file is by now; None when no file has
        it: of what is not visible yet nobody reads anything. Needs read on the file."""
        inode_id = self._blocks.inode_id(block.block_id)
        file = None if inode_id is None else self._image.inodes.get(inode_id)
        if not isinstance(file, File) or file.is_deleted:
            return Outcome(None, None, 0)
        try:
            self._resolver.find(caller, parse(file.path))
            require(file, caller, READ)
        except PermissionDenied:
            raise denied_block(caller, block.block_id) from None
        depends = self._commits.depends_on(file)
        if self._blocks.get(block.block_id) != block:
            return Outcome(None, None, depends)
        return Outcome(self._blocks.census.locate(block, 0), None, depends)

    def content_summary(
        self, caller: Caller, path: str, check: Optional[TreeCheck] = None
    ) -> Outcome:
        """The ContentSummary of the tree at a path; by `check` raises Unfinished."""
        summary = self._resolver.content_summary(caller, parse(path), check)
        return Outcome(summary, None, self._commits.last_txid)

    def quota_usage(
        self, caller: Caller, path: str, check: Optional[TreeCheck] = None
    ) -> Outcome:
        """The QuotaUsage of a path; a file has no quotas, and the root always has one on names.

        Needs read and execute on a directory; of the root without other quotas that is told which
        `content_summary` tells, and needs the same on all directories; by `check` raises
        Unfinished.
        """
        names = parse(path)
        inode = self._resolver.find(caller, names)
        usage = QuotaUsage(QUOTA_RESET, 0, QUOTA_RESET, 0)
        if isinstance(inode, Directory):
            require(inode, caller, READ_EXECUTE)
            if inode.is_limited:
                used = self._quotas.use(inode)
                quotas = (inode.name_quota, inode.space_quota)
                told = (QUOTA_RESET if quota is None else quota for quota in quotas)
                usage = QuotaUsage(next(told), used.names, next(told), used.space)
            elif not names:
                found = self._resolver.content_summary(caller, names, check)
                usage = usage._replace(names=found.directories + found.files, space=found.space)
            if not names and usage.name_quota == QUOTA_RESET:
                usage = usage._replace(name_quota=NAME_QUOTA_MAX)
        return Outcome(usage, None, self._commits.last_txid)

    def fsck(self, caller: Caller, path: str, after: str, limit: int) -> Outcome:
        """A page of the tree at a path: (list of FsckRow, whether more may follow).

        Directories come before what they hold, siblings in order. `after` is the path of the last
        row of the page before, or empty. The page ends after about `limit` inodes and blocks.
        """
        limit = _check_limit(limit)
        names = parse(path)
        top = self._resolver.find(caller, names)
        rows: List[FsckRow] = []
        size = 0
        more = False
        for inode in self._resolver.descend(top, _below(names, after)):
            if size >= limit:
                more = True
                break
            if isinstance(inode, Directory):
                require(inode, caller, READ_EXECUTE)
            rows.append(self._examine(inode))
            size += 1 + len(rows[-1].blocks)
        return Outcome((rows, more), None, self._commits.last_txid)

    def path_of(self, inode_id: int) -> Optional[str]:
        """The path of an inode, for logs; None when it is deleted or unknown."""
        inode = self._image.inodes.get(inode_id)
        return None if inode is None or inode.is_deleted else inode.path

    def _examine(self, inode: Inode) -> FsckRow:
        blocks = inode.blocks if isinstance(inode, File) else ()
        return FsckRow(inode.path, inode.status(), tuple(map(self._blocks.census.examine, blocks)))


def _below(names: Names, after: str) -> Optional[Names]:
    """The components of `after` below the directory of `names`; None for the first page."""
    if not after:
        return None
    last = parse(after)
    if last[: len(names)] != names:
        raise InvalidArgument(f"{after} is not below /{'/'.join(names)}")
    return last[len(names) :]


def _check_limit(limit: int) -> int:
    if type(limit) is not int or limit < 1:
        raise InvalidArgument("a page must have at least one row")
    return min(limit, PAGE_MAX)


def _entry(inode: Inode) -> Entry:
    children = len(inode.children) if isinstance(inode, Directory) else 0
    return Entry(inode.status(), children)
