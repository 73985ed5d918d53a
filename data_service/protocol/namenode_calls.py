"""What the namenode answers, and whom: one table for each kind of caller."""

from typing import Annotated, Optional, Tuple, Union

from data_service.protocol.blocks import Block, SealedBlock
from data_service.protocol.files import (
    Begun,
    Completed,
    ContentSummary,
    Entry,
    FileStatus,
    LocatedBlock,
    Locations,
    OpenedFile,
    Presented,
    QuotaUsage,
    Tail,
)
from data_service.protocol.health import AilingMember, ClusterStatus, DataNodeStatus, FsckRow
from data_service.protocol.nodes import Ticket
from zookeeper.fabric.calls import CHANGES, READS, TELLS, Calls, call
from zookeeper.fabric.identity import DATA_NODE, PEOPLE
from zookeeper.fabric.kinds import INTEGER_MAX, Between, Length, Natural, Rows, Text

Path = Text
"""As the caller writes it; the namenode says in words of its own what is wrong with one."""

Time = Annotated[int, Between(-1, INTEGER_MAX)]
"""Milliseconds since 1970, or -1: as it is."""

Quota = Annotated[int, Between(-INTEGER_MAX, INTEGER_MAX)]
"""Which of these can be one, the namenode says in HDFS's words."""

Positive = Annotated[int, Between(1, INTEGER_MAX)]

Blocks = Tuple[Block, ...]
SealedBlocks = Tuple[SealedBlock, ...]
BlockNumbers = Annotated[Tuple[Natural, ...], Length(0, 1000)]
Names = Tuple[Text, ...]

class NamespaceCalls(Calls, who=PEOPLE):
    """Names, and what is known of them."""

    @call(READS)
    def stat(self, path: Path) -> FileStatus:
        """What is at a path."""

    @call(READS)
    def access(self, path: Path, bits: Natural) -> bool:
        """Whether the caller may do all of `bits` to a path: 4 read, 2 write, 1 execute."""

    @call(READS)
    def list(self, path: Path, after: Path, limit: Natural) -> Tuple[Rows[FileStatus], bool]:
        """A page of a directory behind the name `after`, and whether more follow."""

    @call(READS)
    def entry(self, path: Path) -> Entry:
        """What `stat` tells, and how many children a directory has."""

    @call(READS)
    def entries(self, path: Path, after: Path, limit: Natural) -> Tuple[Rows[Entry], bool]:
        """What `list` tells, and how many children each directory has."""

    @call(READS)
    def quota_usage(self, path: Path) -> QuotaUsage:
        """The quotas of a path, and what counts for them."""

    @call(READS)
    def content_summary(self, path: Path) -> ContentSummary:
        """How much a tree holds."""

    @call(READS)
    def block_locations(self, path: Path, offset: Natural, length: Natural) -> Locations:
        """The blocks of a range of a file."""

    @call(READS)
    def locate_block(self, block: Block) -> Optional[LocatedBlock]:
        """Where a block is now, whatever became of the path that led to it; its offset in the file
        is left out. None when no file has it."""

    @call(READS)
    def fsck(self, path: Path, after: Path, limit: Natural) -> Tuple[Rows[FsckRow], bool]:
        """A page of a tree behind the path `after`, and whether more follow."""

    @call(CHANGES)
    def mkdir(self, path: Path, make_parents: bool, mode: Natural) -> None:
        """Make a directory."""

    @call(CHANGES)
    def delete(self, path: Path, recursive: bool) -> bool:
        """Delete a path; whether there was one."""

    @call(CHANGES)
    def rename(self, source: Path, destination: Path, overwrite: bool = False) -> None:
        """Rename; nothing may be at the destination, unless it is to be replaced."""

    @call(CHANGES)
    def set_replication(self, path: Path, replication: Natural) -> None:
        """Raise or lower how many replicas a file shall have."""

    @call(CHANGES)
    def set_mode(self, path: Path, mode: Natural) -> None:
        """Change the permission bits."""

    @call(CHANGES)
    def set_owner(self, path: Path, owner: Text, group: Text) -> None:
        """Change owner and group; an empty one stays as it is."""

    @call(CHANGES)
    def set_times(self, path: Path, mtime_ms: Time, atime_ms: Time) -> None:
        """Change the times; -1 leaves one as it is."""

    @call(CHANGES)
    def set_quota(self, path: Path, name_quota: Quota, space_quota: Quota) -> None:
        """Set (a number), clear (QUOTA_RESET) or leave (QUOTA_UNCHANGED) a directory's quotas."""


class WriterCalls(Calls, who=PEOPLE):
    """Files that are being written. Each call renews the lease of its client."""

    @call(CHANGES)
    def create(
        self,
        path: Path,
        overwrite: bool,
        replication: Natural,
        block_size: Natural,
        mode: Natural,
        first_block: Optional[Names] = None,
    ) -> Union[OpenedFile, Begun]:
        """Open a file for writing; replication or block size 0 mean the default. Unless
        `first_block` is None its first block comes with the answer, on none of these datanodes, if
        there is one to be had: `add_block` tells why there is not."""

    @call(CHANGES)
    def append(self, path: Path) -> OpenedFile:
        """Open a file that exists to write behind its end."""

    @call(CHANGES)
    def truncate(self, path: Path, length: Natural) -> Optional[OpenedFile]:
        """Shorten a file: None when that is done, else the file whose last block is to be cut."""

    @call(READS)
    def cut_block(self, client_id: Text, file_id: Natural) -> LocatedBlock:
        """The block that an open truncation replaces."""

    @call(CHANGES)
    def concat(self, path: Path, sources: Names) -> None:
        """Move the blocks of the sources behind those of the file at `path`."""

    @call(TELLS)
    def add_block(
        self, client_id: Text, file_id: Natural, position: Natural, excluded: Names
    ) -> LocatedBlock:
        """The block for one position of an open file, on none of the excluded datanodes."""

    @call(TELLS)
    def abandon_block(self, client_id: Text, file_id: Natural, block_id: Natural) -> None:
        """Give a block up whose pipeline failed."""

    @call(CHANGES, waits=True)
    def complete(self, file_id: Natural, blocks: SealedBlocks) -> Completed:
        """Make an open file appear, once all its replicas are confirmed, with these digests."""

    @call(CHANGES, waits=True)
    def flush(self, file_id: Natural, blocks: SealedBlocks) -> Completed:
        """Make visible what was written so far, as `complete`; the file stays open."""

    @call(TELLS)
    def resume(
        self,
        client_id: Text,
        path: Path,
        file_id: Natural,
        overwrite: bool,
        replication: Natural,
        block_size: Natural,
        mode: Natural,
        replaces: Natural,
        blocks: Tuple[Presented, ...],
        claim: Text,
    ) -> OpenedFile:
        """Present a file in progress, with its claim, to a namenode that was restarted."""

    @call(TELLS)
    def resume_visible(
        self,
        client_id: Text,
        file_id: Natural,
        tail: Tail,
        blocks: Tuple[Presented, ...],
        claim: Text,
    ) -> OpenedFile:
        """As `resume`, for a file that readers see."""

    @call(TELLS)
    def abandon_file(self, client_id: Text, file_id: Natural) -> None:
        """Give an open file up."""

    @call(TELLS)
    def renew_lease(self, client_id: Text) -> None:
        """Keep all files that a client has open."""


class AdministrationCalls(Calls, who=PEOPLE):
    """The cluster as a whole."""

    @call(TELLS)
    def report_bad_block(self, block: Block, node_id: Text) -> None:
        """A reader met a replica whose bytes do not match its checksums: its datanode verifies it.

        Only who may read a file complains of its blocks.
        """

    @call(READS)
    def cluster_status(self) -> ClusterStatus:
        """Capacity and health as of now."""

    @call(READS)
    def ailing_members(self) -> Tuple[AilingMember, ...]:
        """What is wrong with metadata services; nothing, for who is neither administrator nor a
        gateway."""

    @call(READS)
    def datanode_reports(self) -> Tuple[DataNodeStatus, ...]:
        """Every known datanode; for who is no administrator, without their names. A gateway, of its
        own, is told them as well: it shows how the cluster is, and reads nobody's files by that.

        Clients of all releases ask how much room each has before they send a large file.
        """

    @call(TELLS)
    def safe_mode(self, action: Text) -> bool:
        """`get`, `enter` or `leave`; whether safe mode is on afterwards."""

    @call(READS)
    def groups(self, user: Text) -> Names:
        """The groups of a user, of the caller when `user` is empty."""

    @call(READS)
    def open_files(
        self, path: Path, after: Natural, limit: Natural
    ) -> Tuple[Rows[FsckRow], Natural, bool]:
        """A page of files being written, the number to go on behind, whether more follow."""

    @call(READS, superuser=True)
    def list_open_files(
        self, path: Path, after: Natural, limit: Natural
    ) -> Tuple[Rows[FsckRow], Natural, bool]:
        """The same, for administrators only, as `listOpenFiles` is in HDFS."""

    @call(READS)
    def block_row(self, block_id: Natural) -> Rows[FsckRow]:
        """A block's file with this block only, as a list of one or none."""

    @call(TELLS, superuser=True)
    def spread_blocks(self, block_ids: BlockNumbers) -> Natural:
        """Have blocks copied that are on too few racks; how many copies began."""

    @call(TELLS, superuser=True)
    def save_namespace(self) -> Natural:
        """Have the metadata service copy its log into its database; the last txid in it.

        The record is durable at any moment: this leaves the next start of that service no log to
        read, and tells of damage while the namenode still has the whole image. As in HDFS, only
        in safe mode.
        """

    @call(READS, superuser=True)
    def record_txid(self) -> Natural:
        """The newest edit that is durable in the record."""

    @call(READS, superuser=True)
    def record_rows(self, table: Text, after: Union[int, str, None], limit: Positive) -> bytes:
        """A page of the record, for a backup: lines of rows of one of its tables behind the key
        `after` (None: from the first), in order; none at the end."""

    @call(TELLS, superuser=True)
    def refresh_nodes(self) -> None:
        """Read again whose keys are void, and end their connections."""

    @call(TELLS, superuser=True)
    def trigger_block_report(self, host: Text, port: Natural) -> None:
        """Have the datanode at an address report fully, with its next heartbeat."""

    @call(TELLS, superuser=True)
    def metasave(self, name: Text) -> None:
        """Write what the namenode has still to do into a file of this name, in its directory."""


class AdmissionCalls(Calls, who=(*PEOPLE, DATA_NODE)):
    """What lets one in elsewhere."""

    @call(TELLS)
    def ticket(self, host: Text, port: Natural) -> Ticket:
        """The caller's key to the datanode at an address."""


class DelegationCalls(Calls, who=PEOPLE):
    """One acts for another: by a token that he was given, or as his proxy."""

    @call(CHANGES)
    def get_delegation_token(self, renewer: Text) -> Text:
        """A token that lets its bearer act for the caller; `renewer`, a user, may prolong it.
        Empty in mode `simple`, where nobody needs one."""

    @call(CHANGES)
    def renew_delegation_token(self, token: Text) -> Natural:
        """Prolong a token; until when it is good now, in milliseconds since 1970."""

    @call(CHANGES)
    def cancel_delegation_token(self, token: Text) -> None:
        """Make a token void, for its owner or its renewer."""

    @call(TELLS)
    def show_token(self, token: Text) -> None:
        """All further calls of this connection are those of the token's owner, with his rights and
        no others, as long as it is good. Before any call that depends on who calls; once."""

    @call(TELLS)
    def act_as(self, user: Text) -> None:
        """The same for a user whose proxy the caller is, by the settings."""


class NameNodeCalls(
    NamespaceCalls, WriterCalls, AdministrationCalls, AdmissionCalls, DelegationCalls
):
    """All that a client may ask."""
