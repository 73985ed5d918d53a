"""The thread that applies what is decided while no append does so: when a leader is idle, or after
somebody has read an image that had to stand still. It also sees when nobody reads on."""

import threading

from metadata_service.record.exports import Exports
from metadata_service.record.metadata_db import MetadataDatabase
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("applier")

LOOK_SECONDS = 1.0
"""After so long without a word it looks by itself; and so long after a failure it tries again."""


class Applier:
    """Of one database, from now on until `stop`."""

    def __init__(self, database: MetadataDatabase, exports: Exports) -> None:
        self._database = database
        self._exports = exports
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="applier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it, after the transaction that is under way."""
        self._stopping.set()
        self._database.wake()
        self._thread.join()

    def _run(self) -> None:
        failed = ""
        while not self._stopping.is_set():
            self._exports.expire()
            if not self._database.await_lag(LOOK_SECONDS):
                continue
            try:
                self._database.settle()
                failed = ""
            except DfsError as error:
                # Edits are kept until they are applied: a full disk delays only this.
                if failed != error.message:
                    log.warning("apply.delayed", error=error.message)
                failed = error.message
                self._stopping.wait(LOOK_SECONDS)
            except Exception as error:  # A defect of ours must not keep images still for ever.
                log.error("apply.failed", exc_info=True, error=error)
                self._stopping.wait(LOOK_SECONDS)

    def __repr__(self) -> str:
        return f"<Applier of {self._database}>"
