"""The namenode's commands, carried out: copy a replica, remove one, verify one.

Theory of operation. A disk may be slow, and heartbeats must go on: each command but the order to
verify runs in a thread of its own, of which there are a limited number. What is not done is ordered
again by the namenode. A removal asks before each replica whether the order still holds, and what
became of it is told at once; before anybody else is obeyed that must be among the news. While a
namenode is new, what it has removed goes to the trash.
"""

import threading
import time
from typing import Callable, List, Optional

from data_service.datanode.actor import Actor
from data_service.datanode.background.verifier import Verifier
from data_service.datanode.copying import copy_block, unreached_targets
from data_service.datanode.incremental_report import DELETED, VERIFIED
from data_service.datanode.store.activity import COPIED, COPIES_FAILED
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, SealedBlock
from data_service.protocol.nodes import DELETE_CORRUPT, REPLICATE, TRASH, VERIFY, Command
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.errors import BlockMissing, DfsError, SessionExpired

log = logs.get("commands")

RUNNING_MAX = 32
"""Commands that are carried out at a time, those that a hung disk holds up among them."""

Holds = Callable[[], bool]
"""Whether the session in which a command was given goes on, and no newer namenode leads."""


class Commands:
    """Carries out what the namenode that leads orders; at most `copies_max` copies at a time."""

    def __init__(
        self,
        store: BlockStore,
        verifier: Verifier,
        actor: Actor,
        peers: DataNodeClient,
        copies_max: int,
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._actor = actor
        self._peers = peers
        self._running = threading.BoundedSemaphore(RUNNING_MAX)
        self._copies = threading.BoundedSemaphore(copies_max)

    def obey(self, command: Command, holds: Holds) -> None:
        """Begin to carry a command out, and return at once."""
        try:
            if command.action == VERIFY:
                self._verifier.order(command.blocks)
            else:
                self._begin(command, holds)
        except RuntimeError as error:
            # The namenode repeats what was not done.
            log.warning("command.dropped", action=command.action, error=error)

    def _begin(self, command: Command, holds: Holds) -> None:
        if not self._running.acquire(blocking=False):
            raise RuntimeError(f"{RUNNING_MAX} are being carried out")
        try:
            threading.Thread(
                target=self._carry_out, args=(command, holds), name="command", daemon=True
            ).start()
        except RuntimeError:
            self._running.release()
            raise

    def _carry_out(self, command: Command, holds: Holds) -> None:
        try:
            if command.action == REPLICATE:
                self._replicate(command, holds)
            else:
                self._remove(command, holds)
        finally:
            self._running.release()

    def _remove(self, command: Command, holds: Holds) -> None:
        to_trash = command.action == TRASH or self._actor.obeys_new_epoch
        take_out = self._store.move_to_trash if to_trash else self._store.remove
        with self._actor.removal():
            removed = self._take_each(command, holds, take_out)
            self._actor.note(DELETED, removed)
        log.info(
            "replicas.removed", action=command.action, count=len(removed), to_trash=to_trash
        )
        self._actor.tell(DELETED, ())

    def _take_each(
        self, command: Command, holds: Holds, take_out: Callable[[Block, Holds], None]
    ) -> List[Block]:
        """Remove the replicas of a command, as long as it holds; those that went."""
        removed: List[Block] = []
        for block in command.blocks:
            try:
                found = self._read_again(block) if command.action == DELETE_CORRUPT else None
                if found is not None:
                    self._actor.note(VERIFIED, [found])
                    continue
                take_out(block, holds)
                removed.append(block)
            except SessionExpired as error:
                log.info("command.lapsed", action=command.action, reason=error.message)
                break
            except DfsError as error:
                log.error("replica.not_removed", block=block.name, error=error.message)
                # It is here, whatever was told meanwhile.
                self._actor.report_again()
        return removed

    def _read_again(self, block: Block) -> Optional[SealedBlock]:
        """Look once more before a replica is removed for its damage: it is good when only the
        reading failed."""
        try:
            return self._verifier.verify(block)
        except BlockMissing:
            return None

    def _replicate(self, command: Command, holds: Holds) -> None:
        if not command.blocks or not command.targets:
            log.warning("command.malformed", action=command.action)
            return
        if not holds():
            return
        block = command.blocks[0]
        if not self._copies.acquire(blocking=False):
            log.info("copy.dropped", block=block.name, reason="enough copies run")
            self._actor.tell_failure(block)
            return
        started = time.monotonic()
        try:
            copy_block(self._store, block, command.targets, self._peers, command.token)
            self._store.activity.note(COPIED)
            log.info("copy.done", block=block.name, seconds=round(time.monotonic() - started, 3))
        except DfsError as error:
            self._store.activity.note(COPIES_FAILED)
            log.warning("copy.failed", block=block.name, error=error.message)
            self._actor.tell_failure(block, unreached_targets(error, command.targets))
        finally:
            self._copies.release()
