"""`get`: all blocks of a file into a local one, several at a time, complete or not at all."""

import os
import queue
import threading
import uuid
from typing import Callable, List, Optional

from data_service.filesystem.local import local_errors
from data_service.filesystem.replicas import Replicas
from data_service.protocol.messages import LocatedBlock, Locations
from zookeeper.fabric.errors import LocalFileError

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) now and then; may raise to stop the transfer."""


def download(
    locations: Locations,
    replicas: Replicas,
    local_path: str,
    parallel: int,
    progress: Optional[Progress] = None,
) -> None:
    """Fetch a file into `local_path`, which appears complete or keeps its old content.

    The bytes go to a temporary file beside it, which is renamed at the end and removed on any
    failure. Raises BlockMissing, LocalFileError.
    """
    if os.path.exists(local_path) and not os.path.isfile(local_path):
        # A rename would put a file in the place of a device such as /dev/null.
        raise LocalFileError(f"{local_path}: not a regular file")
    folder, name = os.path.split(os.path.abspath(local_path))
    temporary = os.path.join(folder, f".{name[:100]}.{uuid.uuid4().hex}.part")
    with local_errors(local_path):
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        _Transfer(locations, replicas, descriptor, local_path, progress).run(parallel)
        with local_errors(local_path):
            os.rename(temporary, local_path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)


class _Transfer:
    """The blocks of one file on their way into one descriptor."""

    def __init__(
        self,
        locations: Locations,
        replicas: Replicas,
        descriptor: int,
        local_path: str,
        progress: Optional[Progress],
    ) -> None:
        self._total = locations.status.length
        self._replicas = replicas
        self._descriptor = descriptor
        self._local_path = local_path
        self._progress = progress
        self._lock = threading.Lock()
        self._done = 0
        self._failures: List[BaseException] = []
        self._waiting: "queue.SimpleQueue[LocatedBlock]" = queue.SimpleQueue()
        self._count = len(locations.blocks)
        for located in locations.blocks:
            self._waiting.put(located)

    def run(self, parallel: int) -> None:
        """Fetch all blocks with up to `parallel` threads; raises the first failure."""
        helpers = [
            threading.Thread(target=self._fetch_all, name="get", daemon=True)
            for _ in range(min(parallel, self._count) - 1)
        ]
        for helper in helpers:
            helper.start()
        self._fetch_all()
        for helper in helpers:
            helper.join()
        if self._failures:
            raise self._failures[0]

    def _fetch_all(self) -> None:
        try:
            while not self._failures:
                try:
                    located = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self._fetch(located)
        except BaseException as failure:  # Raised again by `run`, in the caller's thread.
            self._failures.append(failure)

    def _fetch(self, located: LocatedBlock) -> None:
        position = located.offset
        for piece in self._replicas.read(located, 0, located.block.length):
            with local_errors(self._local_path):
                written = os.pwrite(self._descriptor, piece, position)
                while written < len(piece):
                    written += os.pwrite(self._descriptor, piece[written:], position + written)
            position += len(piece)
            if self._failures:
                return
            if self._progress is not None:
                self._advance(len(piece))

    def _advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            assert self._progress is not None
            self._progress(self._done, self._total)
