"""The namenode daemon: what `leading/leadership.py` decides is carried out here.

Theory of operation. Everybody who learns something of leadership (the lookout that hears no
leader, the term that ends, a datanode that has obeyed another) puts it into an inbox. One thread
takes it out, asks the machine what to do, and does it: only this thread begins and ends terms.
"""

import argparse
import getpass
import random
import threading
import time
from typing import Dict, List, Optional, Tuple

from data_service.namenode.calls.audit import AuditLog
from data_service.namenode.calls.availability import Availability
from data_service.namenode.calls.delegations import Seals
from data_service.namenode.calls.service import NameNodeService
from data_service.namenode.calls.tokens import Tokens
from data_service.namenode.groups import Groups
from data_service.namenode.leading import leadership
from data_service.namenode.leading.candidacy import Candidacy
from data_service.namenode.leading.core_keeper import CoreKeeper
from data_service.namenode.leading.following import LAG_SECONDS
from data_service.namenode.leading.inbox import Inbox
from data_service.namenode.leading.inquiry import ask_members, tell_who_waits
from data_service.namenode.leading.leadership import Leadership
from data_service.namenode.leading.lookout import Lookout
from data_service.namenode.listening import Listener
from data_service.namenode.namesystem import Namesystem
from data_service.protocol.availability_calls import ACTIVE, STANDBY, MemberRow, ServiceState
from metadata_service.leader.member_ways import MemberWays
from zookeeper.coordinator import Coordinator
from zookeeper.fabric import daemon, logs
from zookeeper.fabric.auth import Credentials, Keyring
from zookeeper.fabric.errors import Busy, InvalidArgument, NotLeader, StartRefused
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import NAME_NODE, Principal
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Settings

log = logs.get("name_node")


class NameNode(daemon.Daemon):
    """One namenode process."""

    def __init__(self, settings: Settings, credentials: Credentials, index: int = 0) -> None:
        self._settings = settings
        self._credentials = credentials
        self.address = daemon.address_at(settings.name_node.hosts, index, "name_node_hosts")
        self._superuser = getpass.getuser()
        self._leadership = Leadership(len(settings.name_node.hosts) == 1, random.Random())
        self._inbox = Inbox()
        self._coordinator = Coordinator(str(self.address), settings, credentials)
        self._members = MemberWays(settings.metadata.hosts, credentials, settings.network)
        self._keeper = CoreKeeper(
            settings, self.address, self._superuser, self._members, self._inbox.put, self._show
        )
        name_nodes = [str(host) for host in settings.name_node.hosts]
        candidacy = Candidacy(
            str(self.address), name_nodes, len(settings.metadata.hosts),
            settings.name_node.leader_seconds, random.Random(),
        )  # fmt: skip
        self._lookout = Lookout(
            candidacy, self._members, self._on_vacancy, self._on_leader, self._keeper.missed_by
        )
        # What follows is told of, and its readers wait, under this.
        self._changed = self._keeper.changed
        self._stopping = False
        self._refusal = ""
        self._server: Optional[Server] = None
        self._audit: Optional[AuditLog] = None

    def start(self) -> None:
        """Serve; returns when this namenode leads and has loaded the image, or another leads."""
        host = daemon.bind_host(self._settings, self.address)
        own = self._settings.name_node
        groups = Groups(self._settings.groups)
        if own.audit_log:
            self._audit = AuditLog(own.audit_log, own.audit_log_bytes, own.audit_log_files)
        security, credentials = self._settings.security, self._credentials
        seals = Seals(credentials.cluster_key, self._keyring, security)
        self._server = Server(
            f"{NAME_NODE}@{self.address}",
            host,
            self.address.port,
            lambda: NameNodeService(
                self.namesystem,
                groups.of,
                self._superuser,
                (own.replication_factor, own.block_size),
                own.name_node_dir,
                self._audit,
                Tokens(credentials.cluster_key, security.token_seconds),
                self._refresh,
                seals,
                self._availability(),
                self.listener,
            ),
            credentials,
            self._settings.network,
        )
        self._server.start()
        self._coordinator.register(f"/name_nodes/{self.address}", str(self.address))
        self._coordinator.watch("/data_nodes", self._on_datanodes)
        self._coordinator.watch("/leader", lambda _: self._lookout.look())
        self._coordinator.start()
        threading.Thread(target=self._lead, name="leading", daemon=True).start()
        with self._changed:
            keeper, lookout = self._keeper, self._lookout
            while not (keeper.namesystem or lookout.leader or self._refusal or self._stopping):
                self._changed.wait()
            if self._refusal:
                raise StartRefused(self._refusal)
            state = f"epoch={keeper.namesystem.epoch}" if keeper.namesystem else "standby"
        self.ready = f"{self.address} {state}"

    def stop(self) -> None:
        """Finish running calls, resign, close."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._inbox.close()
        if self._server is not None:
            self._server.stop()
        if self._audit is not None:
            self._audit.close()
        self._lookout.rest()
        self._keeper.stop()
        self._coordinator.stop()
        self._members.close()

    def namesystem(self) -> Namesystem:
        """The namesystem that serves; raises NotLeader when there is none."""
        namesystem = self._keeper.namesystem
        if namesystem is None or namesystem.over:
            trouble = self._keeper.trouble or self._leadership.trouble or self._lookout.trouble
            reason = f": it {trouble}" if trouble else ""
            raise NotLeader(f"the namenode {self.address} does not lead (yet){reason}")
        return namesystem

    def listener(self) -> Listener:
        """Who hears datanodes: the namesystem that serves, or who stands by; raises NotLeader when
        nothing is in memory."""
        return self._keeper.listener() or self.namesystem()

    def _keyring(self) -> Optional[Keyring]:
        """That of the server, which looks at its files every moment."""
        assert self._server is not None, "whoever calls was let in by it"
        return self._server.keyring

    def _state(self) -> ServiceState:
        try:
            namesystem = self.namesystem()
        except NotLeader:
            trouble = self._leadership.trouble or self._lookout.trouble
            return ServiceState(STANDBY, 0, trouble or self._standby_trouble())
        journal = namesystem.journal
        full = "" if journal.has_room else "records no change: the metadata service's disk is full"
        if not namesystem.proved:  # Another may lead by now, and is the active one.
            return ServiceState(STANDBY, 0, journal.trouble or "cannot prove that it leads")
        risk = journal.risk and f"cannot do without one more metadata service: {journal.risk}"
        waits = journal.waits_for and f"changes no metadata services: {journal.waits_for}"
        perils = "; it ".join(one for one in (risk, waits) if one)
        return ServiceState(ACTIVE, journal.epoch, journal.trouble or full or perils)

    def _availability(self) -> Availability:
        keeper = self._keeper
        return Availability(
            self._state, self._hand_over, self._ask_members, keeper.figures, lambda: keeper.lag,
            lambda: self.namesystem().journal.compare_members(),
        )  # fmt: skip

    def _ask_members(self) -> Tuple[MemberRow, ...]:
        keeper = self._keeper
        rows = ask_members(self._members, keeper.known_txid, keeper.delays, keeper.ailing)
        return rows if self._settings.metadata.admit_new_disks else tell_who_waits(rows)

    def _standby_trouble(self) -> str:
        """What keeps it from leading at once, for a person; or empty."""
        lag = self._keeper.lag
        if lag is None:
            return "loads the image"
        if lag.seconds >= LAG_SECONDS:
            return f"is {lag.edits} edits behind the record, for {lag.seconds:.0f} s"
        heard, there = self._keeper.heard
        if heard < there:
            return f"hears from {heard} of {there} live datanodes"
        lacks_reports = self._keeper.lacks_reports
        return "would lead in safe mode, for lack of block reports" if lacks_reports else ""

    def _hand_over(self) -> None:
        if len(self._settings.name_node.hosts) == 1:
            raise InvalidArgument("there is no other namenode in name_node_hosts to hand over to")
        self.namesystem()
        self._inbox.put(leadership.HandOver())
        keeper = self._keeper
        with self._changed:
            if not self._changed.wait_for(
                lambda: keeper.namesystem is None or self._stopping, leadership.HAND_OVER_SECONDS
            ):
                raise Busy("this namenode is busy with its leadership: see its log")

    def _refresh(self) -> None:
        """Read keys and the list of the revoked again, and act on them. Raises SettingsError."""
        self._credentials.read_again()
        if self._server is not None:
            self._server.look_at_keys()

    # What others tell.

    def _on_vacancy(self, candidacy: int) -> None:
        log.info("leader.missed")
        self._inbox.put(leadership.Vacant(candidacy))

    def _on_leader(self) -> None:
        log.info("leader.seen", leader=self._lookout.leader)
        with self._changed:
            self._changed.notify_all()

    def _on_datanodes(self, registered: Optional[Dict[str, str]]) -> None:
        self._keeper.see_zookeeper(_by_address(registered))

    def _show(self, epoch: int) -> None:
        """For people, and for those who stand by: who leads does not depend on it."""
        path = f"/leader/{self.address}"
        if epoch:
            self._coordinator.register(path, str(epoch))
        else:
            self._coordinator.unregister(path)

    # What the thread `leading` does.

    def _lead(self) -> None:
        actions = self._leadership.start()
        while True:
            for action in actions:
                self._carry_out(action)
            event = self._inbox.take(self._leadership.wake_at)
            if event is None:
                self._keeper.end_term()  # `stop` may have come before it was there.
                return
            actions = self._decide(event)

    def _decide(self, event: leadership.Event) -> List[leadership.Action]:
        now = time.monotonic()
        try:
            return self._leadership.handle(event, now)
        except Exception as error:
            # As in an action: what the machine cannot digest is one more event.
            log.error("leading.failed", exc_info=True, error=type(error).__name__)
            return self._leadership.handle(leadership.Failed(error), now)

    def _carry_out(self, action: leadership.Action) -> None:
        try:
            if isinstance(action, leadership.Campaign):
                self._lookout.campaign(action.candidacy, action.yields)
            elif isinstance(action, leadership.Resign):
                self._lookout.rest()
            elif isinstance(action, leadership.Follow):
                self._keeper.follow(action.attempt)
            elif isinstance(action, leadership.TakeOver):
                self._keeper.take_over(action.attempt, action.at_least)
            elif isinstance(action, leadership.Serve):
                self._keeper.serve()
            elif isinstance(action, leadership.EndTerm):
                self._keeper.end_term()
            else:
                self._refuse(action.error)
        except Exception as error:
            # Also a defect must not end this thread: this namenode would lead for ever, serve
            # nothing, and keep every other from leading.
            log.error("leading.failed", exc_info=True, error=type(error).__name__)
            self._inbox.put(leadership.Failed(error))

    def _refuse(self, error: Exception) -> None:
        log.error("image.refused", error=error)
        with self._changed:
            self._refusal = str(error)
            self._changed.notify_all()


def _by_address(registered: Optional[Dict[str, str]]) -> Optional[Dict[str, str]]:
    if registered is None:
        return None
    return {path.rpartition("/")[2]: node_id for path, node_id in registered.items()}


def _build(settings: Settings, arguments: argparse.Namespace) -> NameNode:
    return NameNode(settings, credentials_of(settings, Principal(NAME_NODE)), arguments.index)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    daemon.add_index(parser, "namenode", "name_node_hosts")


def main(argv: Optional[List[str]] = None) -> int:
    """Run a namenode until it is told to stop; the process's exit status."""
    return daemon.run(
        NAME_NODE,
        "Owns the names of all files and knows where their blocks are.",
        argv,
        _build,
        _add_arguments,
    )
