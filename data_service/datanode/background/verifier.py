"""Replicas that the namenode wants to be read: one after the other, beside all else.

The namenode asks when a reader complained of a replica, and before another one is removed because
this one is there. What is damaged the store tells by itself, as it does for the scanner.
"""

import threading
import time
from typing import Callable, Dict, Iterable, List, Optional

from data_service.datanode.incremental_report import CORRUPT, VERIFIED
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, SealedBlock, Told
from zookeeper.fabric import logs
from zookeeper.fabric.errors import BlockMissing, DfsError

log = logs.get("verifier")

_WAITING_MAX = 10_000
_TELL_SECONDS = 1.0
"""Good replicas are told together, but none is kept back for longer."""


class Verifier:
    """`tell` is told of replicas VERIFIED or CORRUPT; `lost` when one is not there at all."""

    def __init__(
        self,
        store: BlockStore,
        tell: Callable[[str, Iterable[Told]], None],
        lost: Callable[[], None],
    ) -> None:
        self._store = store
        self._tell = tell
        self._lost = lost
        self._lock = threading.Lock()
        self._waiting: Dict[Block, None] = {}
        self._running = False
        self._stopping = False

    def start(self) -> None:
        """Begin with the replicas that lie in several directories: one of each is enough."""
        threading.Thread(target=self._settle_doubles, name="doubles", daemon=True).start()

    def _settle_doubles(self) -> None:
        for block in self._store.replicas.doubles():
            if self._stopping:
                return
            try:
                digest = self._store.settle_double(block)
                if digest:
                    self._tell(VERIFIED, [SealedBlock(*block, digest)])
            except DfsError as error:
                log.warning("double.kept", block=block.name, error=error.message)
            except Exception as error:
                # One that cannot be settled must not keep the others.
                log.error("double.failed", exc_info=True, error=type(error).__name__)

    def order(self, blocks: Iterable[Block]) -> None:
        """Verify these soon. When too many wait, new ones are left out: they are asked for again.

        Raises RuntimeError when no thread can be had.
        """
        with self._lock:
            if self._stopping:
                return
            for block in blocks:
                if len(self._waiting) < _WAITING_MAX:
                    self._waiting[block] = None
            if self._running or not self._waiting:
                return
            threading.Thread(target=self._run, name="verifier", daemon=True).start()
            self._running = True

    def stop(self) -> None:
        """End after the present replica."""
        with self._lock:
            self._stopping = True
            self._waiting.clear()

    def verify(self, block: Block) -> Optional[SealedBlock]:
        """A replica as it was read, None when it is damaged; DfsError when it cannot be told."""
        digest = self._store.verify(block)
        log.debug("replica.verified", block=block.name, good=bool(digest))
        return SealedBlock(*block, digest) if digest else None

    def _run(self) -> None:
        good: List[SealedBlock] = []
        told_at = time.monotonic()
        while True:
            with self._lock:
                block = next(iter(self._waiting), None)
                if block is None and not good:
                    self._running = False
                    return
                self._waiting.pop(block, None)  # type: ignore[arg-type]
            if block is not None:
                good += self._read(block)
            if good and (block is None or time.monotonic() - told_at >= _TELL_SECONDS):
                self._tell(VERIFIED, good)
                good, told_at = [], time.monotonic()

    def _read(self, block: Block) -> List[SealedBlock]:
        """A replica as a list of one, or none when it is not known to be good."""
        try:
            found = self.verify(block)
            if found is not None:
                return [found]
            # Perhaps it was known before, and what was told was lost with a namenode.
            self._tell(CORRUPT, [block])
        except BlockMissing:
            self._lost()
        except DfsError as error:
            log.warning("replica.not_verified", block=block.name, error=error.message)
        except Exception as error:
            # Also a defect must not end this thread, or nothing would be verified any more.
            log.error("verifier.failed", exc_info=True, error=type(error).__name__)
        return []

    def __repr__(self) -> str:
        return f"<Verifier {len(self._waiting)} waiting>"
