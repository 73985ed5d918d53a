"""One connection to the namenode: who calls, in which term, and with which rights."""

import time
from hashlib import blake2b
from typing import Any, Callable, Iterable, Optional, Set, Tuple

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller, identify, require_superuser
from data_service.namenode.namespace.retries import CLIENT_OF, Op, check_client
from data_service.namenode.state import State
from data_service.namenode.namesystem import Namesystem
from data_service.protocol.validation import check_operation
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, InvalidArgument, PermissionDenied
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.rpc import Service

log = logs.get("namenode")

CLIENTS_MAX = 64
"""Clients of one connection whose presence is watched; the others' leases end by time only."""

DIGEST_BYTES = 8
"""Of the arguments of a call: no secret, and compared with those of one other call only."""

SUPERGROUP = "supergroup"
GROUPS_SECONDS = 60.0
"""How long a connection's user keeps the groups that were found."""


class Connection(Service):
    """What every call needs. `term_of` gives the current term, or raises NotLeader; `defaults` are
    replication and block size of new files; `directory` is where `metasave` writes."""

    def __init__(
        self,
        term_of: Callable[[], Namesystem],
        groups_of: Callable[[str], Iterable[str]],
        superuser: str,
        defaults: Tuple[int, int],
        directory: str,
    ) -> None:
        self._term_of = term_of
        self._groups_of = groups_of
        self._superuser = superuser
        self._replication, self._block_size = defaults
        self._directory = directory
        self._caller = Caller("", frozenset(), False)
        self._identified_until = 0.0
        self._met_in: Optional[Namesystem] = None
        self._met: Set[str] = set()

    def _identify(self) -> None:
        """Look the caller's groups up, outside of every lock, unless that was done just now.

        The lookup may ask a directory service; done in each call it took 44 % of a stat's time.
        """
        now = time.monotonic()
        if now >= self._identified_until:
            user = self.peer.principal.user
            self._caller = identify(user, self._groups_of, self._superuser, SUPERGROUP)
            self._identified_until = now + GROUPS_SECONDS

    def _own_client(self, client_id: str) -> str:
        """A client's name in the namenode, which tells whose it is: ids are shown to all who meet
        a lease, and another user who presents one reaches neither its files nor its answers."""
        check_client(client_id)
        if CLIENT_OF in client_id:
            raise InvalidArgument(f"a client's id must not contain {CLIENT_OF}")
        self._identify()
        name = f"{client_id}{CLIENT_OF}{self._caller.user}"
        self._meet(name)
        return name

    def _meet(self, client_id: str) -> None:
        """Tell the term that the client is here, so that it can be told when it is not."""
        term = self._term_of()
        if term is not self._met_in:
            self._met_in, self._met = term, set()
        if client_id not in self._met and len(self._met) < CLIENTS_MAX:
            term.read(lambda state: state.writing.arrive(client_id, self.peer.host))
            self._met.add(client_id)

    def ended(self, by_client: bool) -> None:
        """What the clients of this connection write is free soon when they do not come back."""
        term, now = self._met_in, time.monotonic()
        if term is None or term.over:
            return
        try:
            for client_id in self._met:
                term.read(lambda state: state.writing.part(client_id, by_client, now))
        except DfsError as error:
            # Such as the end of the term: the next one knows nothing of these clients.
            log.info("client.not_parted", host=self.peer.host, error=error.message)

    def _own_call(self, op: Any, *args: Any) -> Op:
        """The name of one of this user's calls, which tells of its arguments too: processes that
        share an id by mistake must not get each other's answers."""
        check_operation(op)
        told = repr(args).encode("utf-8", "backslashreplace")
        digest = blake2b(told, digest_size=DIGEST_BYTES).hexdigest()
        return Op(self._own_client(op[0]), op[1], digest, *op[2:])

    def _require_superuser(self) -> None:
        self._identify()
        require_superuser(self._caller)

    def _require_datanode(self) -> None:
        if self.peer.principal.role != DATA_NODE:
            raise PermissionDenied("only datanodes may call this")

    def _read(self, operation: Callable[[State], Outcome]) -> Any:
        self._identify()
        return self._term_of().read(operation)

    def _change(self, operation: Callable[[State], Outcome], op: Optional[Op] = None) -> Any:
        self._identify()
        return self._term_of().change(operation, op)
