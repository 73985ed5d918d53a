"""What a datanode answers to clients and to other datanodes. There is no way to delete."""

from typing import Tuple

from data_service.protocol.block_tokens import Token
from data_service.protocol.checksums import BlockChecksum
from data_service.protocol.nodes import Targets
from zookeeper.fabric.calls import READS, TELLS, Calls, Receiving, ReceivingFile, Sending, call
from zookeeper.fabric.identity import DATA_NODE, PEOPLE
from zookeeper.fabric.kinds import Label, Natural

Holders = Tuple[Label, ...]
"""The node ids of datanodes that have a block, durably."""


class DataNodeCalls(Calls, who=(*PEOPLE, DATA_NODE)):
    """Blocks, on their way in and out."""

    @call(TELLS)
    def write_block(
        self,
        block_id: Natural,
        generation: Natural,
        size: Natural,
        token: Token,
        targets: Targets,
    ) -> Sending[Holders]:
        """Take a block of up to `size` bytes in and pass it on to `targets`, the first of which
        passes it on to the rest; the ids of all datanodes that hold it then."""

    @call(READS)
    def read_block(
        self,
        block_id: Natural,
        generation: Natural,
        offset: Natural,
        length: Natural,
        token: Token,
        as_it_is: bool = False,
    ) -> Receiving:
        """Send the chunks that cover `length` bytes from `offset`, with their stored checksums:
        also those of a damaged replica, when it is wanted `as_it_is`."""

    @call(READS)
    def open_replica(self, block_id: Natural, generation: Natural, token: Token) -> ReceivingFile:
        """Hand a replica's data over as an open file that can only be read, beside the id of the
        datanode, and send the checksums of all its chunks. Only over a Unix socket."""

    @call(READS)
    def chunk_checksums(self, block_id: Natural, generation: Natural, token: Token) -> Receiving:
        """Send the stored checksums of all chunks of a replica, by which a reader knows it."""

    @call(READS)
    def block_checksum(
        self, block_id: Natural, generation: Natural, length: Natural, token: Token
    ) -> BlockChecksum:
        """A block's part of its file's checksum; its bytes are verified, and stay here."""
