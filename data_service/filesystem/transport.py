"""What moves the bytes of files: a client's connections to datanodes, and what hangs on them."""

from typing import Callable

from data_service.filesystem.namenode_client import NameNodeClient
from data_service.filesystem.names import Names
from data_service.filesystem.reading.block_locator import BlockLocator
from data_service.filesystem.reading.block_reader import BlockReader, hurried
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.reading.short_circuit import ShortCircuit
from data_service.filesystem.writing.files_being_written import FilesBeingWritten
from data_service.stubs.datanode_client import DataNodeClient
from data_service.stubs.tickets import TicketCredentials
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.settings import Settings


class Transport:
    """Of one client, for all of its files. May be used by any thread.

    `on_warning` is told, in a sentence, of a file that has fewer replicas than asked for.
    """

    def __init__(
        self,
        namenode: NameNodeClient,
        credentials: Credentials,
        settings: Settings,
        on_warning: Callable[[str], None],
    ) -> None:
        self._namenode = namenode
        self._settings = settings
        ticketed = TicketCredentials(credentials, namenode.calls.ticket)
        self._datanodes = DataNodeClient(ticketed, settings.network)
        self._hasty_datanodes = DataNodeClient(ticketed, hurried(settings.network))
        self._memory = NodeMemory()
        self._short_circuit = (
            ShortCircuit(self._hasty_datanodes) if settings.client.short_circuit else None
        )
        self.files = FilesBeingWritten(
            namenode,
            self._datanodes,
            settings.name_node.lease_soft_seconds,
            self._memory,
            on_warning,
        )

    def reader(self, names: Names, path: str, as_they_are: bool) -> BlockReader:
        """Reads the blocks of the file at an absolute path; see there for `as_they_are`."""
        locator = BlockLocator(names, self._namenode.calls, path)
        return BlockReader(
            path,
            self._datanodes,
            self._hasty_datanodes,
            self._settings.network.stall_timeout_seconds,
            locator.relocate,
            locator.report_bad,
            as_they_are,
            self._memory,
            self._settings.client.retry_seconds,
            self._short_circuit,
        )

    def close(self) -> None:
        """Give up what is still being written, and hang up."""
        self.files.close()
        self._datanodes.close()
        self._hasty_datanodes.close()
