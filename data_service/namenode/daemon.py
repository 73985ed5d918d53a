"""The namenode daemon: campaigns for leadership, and serves while it leads.

Theory of operation. The zookeeper says who may lead; the metadata service, whose epoch every append
carries, says who does. A namenode that is told to lead claims a new epoch, which fences every
earlier one, loads the image, and serves. When its journal fails or another leads, the term is over
and it becomes a candidate again, with empty hands. A zookeeper that cannot be reached changes
nothing: it stops failover, not service.

A term that cannot begin (a damaged image, a metadata service that only this machine does not reach,
a defect of ours) must not keep the role from others, nor claim epochs without end: the role is
given up for a while, longer after each failure.
"""

import argparse
import getpass
import random
import threading
import time
from typing import Dict, List, Optional, Tuple

from data_service.namenode.leading import memory
from data_service.namenode.leading.epoch_floor import EpochFloor
from data_service.namenode.groups import Groups
from data_service.namenode.calls.clients import NameNodeService
from data_service.namenode.term import Term
from metadata_service.journal import Journal
from zookeeper.coordinator import Coordinator
from zookeeper.election import Leadership
from zookeeper.fabric import daemon, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import (
    CorruptData,
    DfsError,
    Fenced,
    NotLeader,
    ProtocolViolation,
    StartRefused,
)
from zookeeper.fabric.identity import METADATA, NAME_NODE
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Settings

log = logs.get("name_node")

RETRY_SECONDS = 0.5
FENCED_PAUSE_SECONDS = 1.0
"""How long a fenced namenode is no candidate, so that another one can be elected."""

FAILED_PAUSE_SECONDS_MAX = 30.0
LASTING_SECONDS = 60.0
"""A term that lasted for so long was no failure: the next pause is a short one again."""


class _Pauses:
    """How long to wait after a failure: twice as long after each, up to a limit."""

    def __init__(self) -> None:
        self._next = RETRY_SECONDS

    def after_failure(self) -> float:
        """Seconds to wait now; namenodes that fail for one reason must not stay in step."""
        pause = self._next
        self._next = min(2 * pause, FAILED_PAUSE_SECONDS_MAX)
        return pause * random.uniform(0.75, 1.0)

    def after_term(self, seconds: float) -> float:
        """Seconds to wait now that a term is over that lasted for so long."""
        if seconds >= LASTING_SECONDS:
            self._next = RETRY_SECONDS
            return 0.0
        return self.after_failure()


class NameNode(daemon.Daemon):
    """One namenode process."""

    def __init__(self, settings: Settings, credentials: Credentials, index: int = 0) -> None:
        self._settings = settings
        self._credentials = credentials
        self.address = daemon.address_at(settings.name_node.hosts, index, "name_node_hosts")
        self._superuser = getpass.getuser()
        self._wake = threading.Condition()
        # Set, under whatever locks, when the thread `leading` shall look whether all is as it must
        # be. Only that thread begins and ends terms.
        self._stir = threading.Event()
        self._pauses = _Pauses()
        self._leads = False
        self._trouble = ""
        self._journal: Optional[Journal] = None
        self._begun_at = 0.0
        self._leader = ""
        self._datanodes: Optional[Dict[str, str]] = None
        self._stopping = False
        self._term: Optional[Term] = None
        self._floor = EpochFloor()
        self._refusal: Optional[DfsError] = None
        self._coordinator = Coordinator(str(self.address), settings, credentials)
        self._metadata = RemotePool(
            METADATA, settings.metadata.hosts[0], credentials, settings.network
        )
        self._server: Optional[Server] = None

    def start(self) -> None:
        """Serve; returns when this namenode leads and has loaded the image, or another leads."""
        host = daemon.bind_host(self._settings, self.address)
        own = self._settings.name_node
        groups = Groups(self._settings.groups)
        self._server = Server(
            f"{NAME_NODE}@{self.address}",
            host,
            self.address.port,
            lambda: NameNodeService(
                self.term,
                groups.of,
                self._superuser,
                (own.replication_factor, own.block_size),
                own.name_node_dir,
            ),
            self._credentials,
            self._settings.network,
        )
        self._server.start()
        self._coordinator.register(f"/name_nodes/{self.address}", str(self.address))
        self._coordinator.campaign(NAME_NODE, str(self.address), self._on_leadership)
        self._coordinator.watch("/data_nodes", self._on_datanodes)
        self._coordinator.start()
        threading.Thread(target=self._lead, name="leading", daemon=True).start()
        with self._wake:
            while not (self._term or self._leader or self._refusal or self._stopping):
                self._wake.wait()
            if self._refusal:
                raise StartRefused(self._refusal.message)
            state = f"epoch={self._term.journal.epoch}" if self._term else "standby"
        self.ready = f"{self.address} {state}"

    def stop(self) -> None:
        """Finish running calls, resign, close."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._stir.set()
        if self._server is not None:
            self._server.stop()
        self._end_term()
        if self._journal is not None:
            self._journal.close()  # That of a term which has not begun yet.
        self._coordinator.stop()
        self._metadata.close()

    def term(self) -> Term:
        """The current term; raises NotLeader when there is none."""
        term = self._term
        if term is None or term.over:
            journal = self._journal
            trouble = journal.trouble if journal is not None and journal.trouble else self._trouble
            reason = f": it {trouble}" if trouble else ""
            raise NotLeader(f"the namenode {self.address} does not lead (yet){reason}")
        return term

    def _on_leadership(self, leadership: Optional[Leadership]) -> None:
        if leadership is None:
            serving = self._serving() is not None
            effect = "no failover; service goes on" if serving else "nobody can be elected to lead"
            log.warning("zookeeper.out_of_reach", effect=effect)
            return
        with self._wake:
            if self._leads != leadership.leads:
                log.info("leadership.changed", leads=leadership.leads, epoch=leadership.epoch)
            self._leads = leadership.leads
            self._leader = "" if leadership.leads else leadership.leader_data
            self._wake.notify_all()
        self._stir.set()

    def _on_datanodes(self, registered: Optional[Dict[str, str]]) -> None:
        with self._wake:
            self._datanodes = _by_address(registered)
            if self._term is not None:
                self._term.see_zookeeper(self._datanodes)

    def _lead(self) -> None:
        """The thread: what is as it must not be is made good, whatever happens on the way."""
        while not self._stopping:
            self._stir.clear()
            if self._is_settled():
                self._stir.wait()
                continue
            try:
                self._follow()
            except Exception as error:
                # Also a defect must not end this thread: this namenode would lead for ever, serve
                # nothing, and keep every other from leading.
                log.error("leading.failed", exc_info=True, error=type(error).__name__)
                self._trouble = f"met an unexpected error ({type(error).__name__}); see its log"
                self._stand_again(self._pauses.after_failure())

    def _is_settled(self) -> bool:
        """Whether a term runs if, and only if, it should; one that is over holds its memory yet."""
        term = self._term
        return not self._leads if term is None else self._leads and not term.over

    def _follow(self) -> None:
        """Begin a term when this namenode may lead and has none; end it when it must."""
        if self._term is not None:
            fenced = self._end_term()
            memory.release()
            if fenced:
                self._stand_again(FENCED_PAUSE_SECONDS)
            elif self._leads:
                self._pause(self._pauses.after_term(time.monotonic() - self._begun_at))
        elif self._leads:
            pause = self._begin_term()
            if pause is not None:
                self._stand_again(pause)

    def _stand_again(self, pause: float) -> None:
        """Give the role up for a while; lead again only if the zookeeper says so anew.

        Two namenodes that both believe in their leadership would else fence each other for ever.
        """
        self._coordinator.resign(NAME_NODE)
        self._pause(pause)
        with self._wake:
            # Now, and not before: news of the time before may have been on their way.
            self._leads = False
        self._coordinator.campaign(NAME_NODE, str(self.address), self._on_leadership)

    def _pause(self, seconds: float) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._stopping, seconds)

    def _elected(self) -> Tuple[int, float]:
        return self._coordinator.led(NAME_NODE)

    def _serving(self) -> Optional[Term]:
        return None if self._term is None or self._term.over else self._term

    def _begin_term(self) -> Optional[float]:
        """Lead, or say for how many seconds the role shall be given up."""
        try:
            term = self._loaded_term()
        except (CorruptData, ProtocolViolation) as error:
            log.error("image.refused", error=error.message)
            self._trouble = f"cannot use the record of the namespace: {error.message}"
            with self._wake:
                self._refusal = error
                self._wake.notify_all()
            return self._pauses.after_failure()
        except Fenced:
            return FENCED_PAUSE_SECONDS
        except DfsError as error:
            log.warning("metadata.out_of_reach", error=error.message)
            self._trouble = f"waits for the metadata service: {error.message}"
            if len(self._settings.name_node.hosts) > 1:
                return self._pauses.after_failure()  # Another one may reach it.
            self._pause(RETRY_SECONDS)
            return None
        log.info("term.begun", epoch=term.journal.epoch)
        with self._wake:
            term.see_zookeeper(self._datanodes)
            self._term, self._trouble = term, ""
            self._begun_at = time.monotonic()
            self._wake.notify_all()
            stopping = self._stopping
        if stopping:
            self._end_term()
        return None

    def _loaded_term(self) -> Term:
        """A term whose image is loaded; of one that fails nothing is left behind."""
        settings = self._settings
        journal = Journal(
            self._metadata.perform,
            str(self.address),
            settings.metadata.append_timeout_seconds,
            settings.network.max_frame_bytes,
            self._on_journal_failure,
        )
        self._journal = journal
        term: Optional[Term] = None
        try:
            # Who restores a backup of the record has an older count of epochs in it.
            election, _ = self._elected()
            journal.open(max(election, self._floor.value))
            term = Term(
                settings, journal, self._superuser, self._elected, self._stir.set, self._floor
            )
            term.load()
        except BaseException:
            journal.close()
            if term is not None:
                term.end()
            raise
        return term

    def _end_term(self) -> bool:
        """End the term, if there is one; whether it was fenced by a newer epoch."""
        with self._wake:
            term, self._term = self._term, None
        if term is None:
            return False
        log.info("term.ended", epoch=term.journal.epoch)
        failure = term.journal.failure
        if failure is not None:
            self._trouble = f"could not record a change: {failure.message}"
        term.end()
        return term.fenced

    def _on_journal_failure(self, error: DfsError) -> None:
        # Called in any thread, perhaps one that holds locks: another one draws the conclusion.
        log.error("journal.failed", error=error.message)
        self._stir.set()


def _by_address(registered: Optional[Dict[str, str]]) -> Optional[Dict[str, str]]:
    if registered is None:
        return None
    return {path.rpartition("/")[2]: node_id for path, node_id in registered.items()}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "index",
        nargs="?",
        type=int,
        default=0,
        help="which namenode to be: index into name_node_hosts, from 0 (the default)",
    )


def main(argv: Optional[List[str]] = None) -> int:
    """Run a namenode until it is told to stop; the process's exit status."""
    return daemon.run(
        NAME_NODE,
        "Owns the names of all files and knows where their blocks are.",
        argv,
        lambda settings, arguments, credentials: NameNode(settings, credentials, arguments.index),
        _add_arguments,
    )
