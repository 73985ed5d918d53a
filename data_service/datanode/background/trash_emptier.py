"""Empties the trash: replicas that nobody claimed for long enough are deleted at last."""

import threading

from data_service.datanode.store.volumes import Volumes
from zookeeper.fabric import logs

log = logs.get("trash_emptier")

_ROUND_SECONDS_MIN, _ROUND_SECONDS_MAX = 0.2, 60.0
_ROUNDS_PER_KEEPING = 10


class TrashEmptier:
    """Looks into the trash of all volumes now and then, in one thread.

    The same rounds save how long each volume has been in use, which is the clock of its trash.
    """

    def __init__(self, volumes: Volumes, keep_seconds: float) -> None:
        self._volumes = volumes
        self._keep = keep_seconds
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="trash_emptier", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()

    def _run(self) -> None:
        # Each round writes, and syncs, how long the volumes have been in use.
        wished = self._keep / _ROUNDS_PER_KEEPING
        pause = min(max(wished, _ROUND_SECONDS_MIN), _ROUND_SECONDS_MAX)
        while not self._stopping.wait(pause):
            try:
                count = self._volumes.empty_trash(self._keep)
            except Exception as error:
                # Also a defect must not end this thread: the disks would fill.
                log.error("trash.failed", exc_info=True, error=type(error).__name__)
                continue
            if count:
                log.info("trash.emptied", files=count)
