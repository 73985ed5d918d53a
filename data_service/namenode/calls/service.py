"""The namenode as its callers see it: the calls of every table, on one connection."""

from typing import Any, Callable, Iterable, Optional, Tuple

from data_service.namenode.calls.administration import Administration
from data_service.namenode.calls.audit import AuditLog
from data_service.namenode.calls.availability import ALWAYS_ACTIVE, Availability
from data_service.namenode.calls.connection import Connection
from data_service.namenode.calls.datanodes import DataNodes
from data_service.namenode.calls.delegations import Delegations, Seals, nobody_acts
from data_service.namenode.calls.names import Names
from data_service.namenode.calls.tokens import Tokens, no_key
from data_service.namenode.calls.writers import Writers
from data_service.namenode.figures import leading, standing_by
from data_service.namenode.listening import Listener
from data_service.namenode.namesystem import Namesystem
from data_service.protocol.availability_calls import AvailabilityCalls
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.namenode_calls import (
    AdministrationCalls,
    AdmissionCalls,
    DelegationCalls,
    NamespaceCalls,
    WriterCalls,
)
from data_service.protocol.nodes import Ticket
from zookeeper.fabric.calls import CHANGES, Call, serves
from zookeeper.fabric.errors import NotLeader, PermissionDenied
from zookeeper.fabric.figures import Family
from zookeeper.fabric.rpc import Service
from zookeeper.fabric.settings import Address


@serves(NamespaceCalls, by="names")
@serves(WriterCalls, by="writers")
@serves(AdministrationCalls, by="administration")
@serves(AdmissionCalls)
@serves(DelegationCalls, by="delegations")
@serves(AvailabilityCalls, by="availability")
@serves(DataNodeReports, by="datanodes")
class NameNodeService(Service):
    """One connection. `namesystem_of` gives the one that serves, or raises NotLeader; `defaults`
    are replication and block size of new files; `directory` is where `metasave` writes; `audit` is
    told of calls about paths; `tokens` are given out with blocks; `refresh` reads again who is
    revoked; by `seals` one acts for another; `availability` knows whether this namenode leads;
    `listener_of` gives who hears datanodes, which also is somebody while it stands by."""

    def __init__(
        self,
        namesystem_of: Callable[[], Namesystem],
        groups_of: Callable[[str], Iterable[str]],
        superuser: str,
        defaults: Tuple[int, int],
        directory: str,
        audit: Optional[AuditLog] = None,
        tokens: Tokens = Tokens(no_key, 0.0),
        refresh: Callable[[], None] = lambda: None,
        seals: Optional[Seals] = None,
        availability: Availability = ALWAYS_ACTIVE,
        listener_of: Optional[Callable[[], Listener]] = None,
    ) -> None:
        self.availability = availability
        self._audit = audit
        self._connection = connection = Connection(
            self, namesystem_of, groups_of, superuser, tokens, listener_of
        )
        self.names = Names(connection)
        self.writers = Writers(connection, *defaults)
        self.administration = Administration(connection, directory, refresh)
        self.datanodes = DataNodes(connection)
        self.delegations = Delegations(connection, seals or nobody_acts())
        self.require_superuser = connection.require_superuser  # type: ignore[method-assign]
        self.ended = connection.ended  # type: ignore[method-assign]

    def ticket(self, host: str, port: int) -> Ticket:
        """See AdmissionCalls. A namenode that does not lead (yet) gives it as well."""
        return self._connection.tokens.ticket(self._connection.principal, Address(host, port))

    def answer(self, call: Call, method: Callable[..., Any], args: Tuple[Any, ...]) -> Any:
        """See Service; of who acts for another, whether he still may."""
        self.delegations.check()
        return super().answer(call, method, args)

    def own_figures(self) -> Tuple[Family, ...]:
        """See Service; one that does not lead has little to tell."""
        try:
            told = leading(self._connection.namesystem.figures())
        except NotLeader:
            told = standing_by(self.availability.lag_of())
        return (*told, *self.availability.figures())

    def note(
        self, call: Call, args: Tuple[Any, ...], seconds: float, error: Optional[Exception]
    ) -> None:
        """Note also who asked for what, when that was done or not allowed."""
        super().note(call, args, seconds, error)
        denied = isinstance(error, PermissionDenied)
        if self._audit is not None and (denied or error is None):
            shown, host = self._connection.shown, self.peer.host
            self._audit.note(call, args, shown, host, allowed=not denied)

    def own(self, call: Call, values: Tuple[Any, ...], args: Tuple[Any, ...]) -> Tuple[Any, ...]:
        """Who names a client, by an operation or by its id, or a session, names his own."""
        if call.effect == CHANGES:
            return (self._connection.own_operation(values[0], args[1:]), *values[1:])
        first = call.parameters[0].name if call.parameters else ""
        if first == "client_id":
            return (self._connection.own_client(values[0]), *values[1:])
        if first == "session":
            return (self._connection.own_session(values[0]), *values[1:])
        return values
