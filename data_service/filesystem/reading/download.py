"""`get`: all blocks of a file into a local one, several at a time, complete or not at all."""

import os
import threading
from functools import partial
from typing import Optional

from data_service.filesystem.local import Progress, appearing, local_errors
from data_service.filesystem.parallel import run_all
from data_service.filesystem.reading.block_reader import BlockReader
from data_service.protocol.files import LocatedBlock, Locations
from zookeeper.fabric.errors import LocalFileError


def download(
    locations: Locations,
    reader: BlockReader,
    local_path: str,
    parallel: int,
    progress: Optional[Progress] = None,
    overwrite: bool = True,
) -> None:
    """Fetch a file into `local_path`, which appears complete or keeps its old content.

    Unless `overwrite`, also what came there meanwhile stays. Raises BlockMissing, LocalFileError.
    """
    if os.path.exists(local_path) and not os.path.isfile(local_path):
        # A rename would put a file in the place of a device such as /dev/null.
        raise LocalFileError(f"{local_path}: not a regular file")
    with local_errors(local_path), appearing(local_path, overwrite) as descriptor:
        _Transfer(locations, reader, descriptor, local_path, progress).run(parallel)


class _Transfer:
    """The blocks of one file on their way into one descriptor."""

    def __init__(
        self,
        locations: Locations,
        reader: BlockReader,
        descriptor: int,
        local_path: str,
        progress: Optional[Progress],
    ) -> None:
        self._locations = locations
        self._reader = reader
        self._descriptor = descriptor
        self._local_path = local_path
        self._progress = progress
        self._lock = threading.Lock()
        self._stop = reader.stop
        self._done = 0

    def run(self, parallel: int) -> None:
        """Fetch all blocks, up to `parallel` at a time; raises the first failure."""
        tasks = [partial(self._fetch, located) for located in self._locations.blocks]
        run_all(tasks, parallel, self._stop)

    def _fetch(self, located: LocatedBlock) -> None:
        position = located.offset
        for piece in self._reader.read(located, 0, located.block.length):
            with local_errors(self._local_path):
                written = os.pwrite(self._descriptor, piece, position)
                while written < len(piece):
                    written += os.pwrite(self._descriptor, piece[written:], position + written)
            position += len(piece)
            if self._stop.is_set():
                return
            if self._progress is not None:
                self._advance(self._progress, len(piece))

    def _advance(self, progress: Progress, count: int) -> None:
        with self._lock:
            self._done += count
            progress(self._done, self._locations.status.length)
