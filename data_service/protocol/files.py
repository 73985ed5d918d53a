"""What namenode and clients say of files: named tuples of plain values.

Messages travel as plain tuples (see `fabric/rpc.py`); `decode` rebuilds them, and refuses what is
not of the types that are annotated here. A peer of another release may not know the last fields
of a message, so new ones come last, and have a default.
Times are milliseconds since 1970 for people to read; no decision compares them.
"""

from typing import Annotated, NamedTuple, Tuple

from data_service.protocol.block_tokens import Token
from data_service.protocol.blocks import Block, Digest
from data_service.protocol.nodes import Target
from zookeeper.fabric.kinds import Between, Natural, Text

Mode = Annotated[int, Between(0, 0o7777)]
"""Permission bits."""

DIRECTORY = "d"
FILE = "f"

QUOTA_RESET = -1
"""In the place of a quota: none."""

QUOTA_UNCHANGED = (1 << 63) - 1
"""In the place of a new quota: as it is."""

NAME_QUOTA_MAX = (1 << 63) - 1
"""The name quota of the root as long as nobody sets another."""


class FileStatus(NamedTuple):
    """What `stat` and a listing tell of one inode. `name` is the last component only."""

    name: str
    inode_id: Natural
    kind: str
    length: Natural
    replication: Natural
    block_size: Natural
    owner: str
    group: str
    mode: Mode
    mtime_ms: int
    atime_ms: int

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory (whose length, replication and block size are 0)."""
        return self.kind == DIRECTORY


class Entry(NamedTuple):
    """A status with how many `children` the directory has: 0 of a file.

    It is told in a message of its own, since older releases take no FileStatus that has grown.
    """

    status: FileStatus
    children: Natural


class LocatedBlock(NamedTuple):
    """A block of a file and the datanodes that hold it (or, when writing, shall hold it).

    Its writer presents the `claim` with it to a namenode that was restarted. Readers compare what
    they get with the `digest`, which comes with a token only: without, in mode `simple`, there may
    be older releases, which take no field that they do not know.
    """

    block: Block
    offset: Natural
    targets: Tuple[Target, ...]
    corrupt: bool
    token: Token
    claim: str = ""
    digest: Digest = b""


class Locations(NamedTuple):
    """The answer to `block_locations`: a file and its blocks in order."""

    status: FileStatus
    blocks: Tuple[LocatedBlock, ...]


class OpenedFile(NamedTuple):
    """The answer to `create`, `append` and `truncate`: what a writer must know, and present.

    New blocks begin at `position`, `offset` bytes into the file. Of its `length` bytes, those
    behind the offset are replaced when the new ones become visible. `replaces` is the number of
    the file that stands where the new one will appear, 0 for none. The `claim` is the proof that
    the file was given to this client.
    """

    file_id: Natural
    replication: Natural
    block_size: Natural
    position: Natural = 0
    offset: Natural = 0
    length: Natural = 0
    replaces: int = 0
    claim: str = ""


class Begun(NamedTuple):
    """The answer to a `create` that asked for the first block, and gets it with the file."""

    opened: OpenedFile
    first: LocatedBlock


class Tail(NamedTuple):
    """From where on a file is written: behind its first `position` blocks, of `offset` bytes.

    The visible file has `length` bytes. When these are more, those behind `offset` are replaced.
    """

    position: Natural
    offset: Natural
    length: Natural

    @property
    def replaced(self) -> int:
        """How many bytes of the visible file the new blocks take the place of."""
        return self.length - self.offset


class Presented(NamedTuple):
    """A block that a writer presents to a namenode which was restarted, with the proof that it was
    given to him. The length of one that is still being written is 0."""

    position: Natural
    block: Block
    claim: Text


class Completed(NamedTuple):
    """The answer to `complete`.

    `replicas` is the least number that any block has; the file's replication when it has none.
    """

    status: FileStatus
    replicas: Natural


class ContentSummary(NamedTuple):
    """What `du` and `count` tell. A directory counts itself; `space` is length x replication."""

    directories: Natural
    files: Natural
    length: Natural
    space: int


class QuotaUsage(NamedTuple):
    """The quotas of a directory (QUOTA_RESET: none), and what counts for them.

    `names` are files and directories, itself among them, `space` bytes of all replicas; what files
    take that are being written is counted, a whole block for each block. Without any quota nothing
    is counted.
    """

    name_quota: int
    names: int
    space_quota: int
    space: int
