"""One connection to the namenode: who calls, in which term, and with which rights."""

import time
from hashlib import blake2b
from typing import Any, Callable, Iterable, Tuple

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller, identify, require_superuser
from data_service.namenode.namespace.retries import CLIENT_OF, Op, check_client
from data_service.namenode.state import State
from data_service.namenode.term import Term
from data_service.protocol.validation import check_operation
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied
from zookeeper.fabric.rpc import Service

DATA_NODE = "data_node"
"""The principal that the calls of datanodes are kept for."""

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
        term_of: Callable[[], Term],
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

    def _identify(self) -> None:
        """Look the caller's groups up, outside of every lock, unless that was done just now.

        The lookup may ask a directory service; done in each call it took 44 % of a stat's time.
        """
        now = time.monotonic()
        if now >= self._identified_until:
            user = self.peer.principal.partition(":")[2] or self.peer.principal
            self._caller = identify(user, self._groups_of, self._superuser, SUPERGROUP)
            self._identified_until = now + GROUPS_SECONDS

    def _own_client(self, client_id: str) -> str:
        """A client's name in the namenode, which tells whose it is: ids are shown to all who meet
        a lease, and another user who presents one reaches neither its files nor its answers."""
        check_client(client_id)
        if CLIENT_OF in client_id:
            raise InvalidArgument(f"a client's id must not contain {CLIENT_OF}")
        self._identify()
        return f"{client_id}{CLIENT_OF}{self._caller.user}"

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
        if self.peer.principal != DATA_NODE:
            raise PermissionDenied("only datanodes may call this")

    def _read(self, operation: Callable[[State], Outcome]) -> Any:
        self._identify()
        return self._term_of().read(operation)

    def _change(self, operation: Callable[[State], Outcome]) -> Any:
        self._identify()
        return self._term_of().change(operation)
