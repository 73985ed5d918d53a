"""One connection to the namenode: who calls, for whom, in which namesystem, with which rights."""

import time
import weakref
from hashlib import blake2b
from typing import Any, Callable, Dict, Iterable, NamedTuple, Optional, Tuple

from data_service.namenode.calls.tokens import Bearer, Tokens
from data_service.namenode.listening import Listener
from data_service.namenode.namespace.permissions import Caller, identify, require_superuser
from data_service.namenode.namespace.retries import CLIENT_OF, Op, check_client
from data_service.namenode.namesystem import Namesystem
from data_service.protocol.delegation_tokens import Delegation
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Operation
from zookeeper.fabric.errors import DfsError, InvalidArgument, PermissionDenied
from zookeeper.fabric.identity import DATA_NODE, USER, Principal, server_at
from zookeeper.fabric.rpc import Peer, Service
from zookeeper.fabric.settings import Address

log = logs.get("namenode")

CLIENTS_MAX = 64
"""Clients of one connection whose presence is watched; the others' leases end by time only."""

DIGEST_BYTES = 8
"""Of the arguments of a call: no secret, and compared with those of one other call only."""

SUPERGROUP = "supergroup"
GROUPS_SECONDS = 60.0
"""How long a connection's user keeps the groups that were found."""


TOKEN, PROXY = "TOKEN", "PROXY"
"""How HDFS calls the ways to act for another."""


class Acting(NamedTuple):
    """For whom a connection's calls are, when that is not its own end: a user; TOKEN or PROXY; the
    proxy who acts for him, or got the token in his place; and the token."""

    user: str
    way: str
    proxy: Optional[Principal] = None
    delegation: Optional[Delegation] = None


class Connection:
    """What the calls that come over one connection need to know of it.

    `service` is where they come in; `namesystem_of` gives the one that serves,
    or raises NotLeader; `listener_of` does what hears datanodes, also while this namenode stands
    by. `tokens` are given out with blocks.
    """

    def __init__(
        self,
        service: Service,
        namesystem_of: Callable[[], Namesystem],
        groups_of: Callable[[str], Iterable[str]],
        superuser: str,
        tokens: Tokens,
        listener_of: Optional[Callable[[], Listener]] = None,
    ) -> None:
        self.tokens = tokens
        self._service = service
        self._namesystem_of = namesystem_of
        self._listener_of = listener_of or namesystem_of
        self.groups_of = groups_of
        self._superuser = superuser
        self.acting: Optional[Acting] = None
        self._caller = Caller("", frozenset(), False)
        self._identified_until = 0.0
        # Of a term that is over, an idle connection must not keep what it had in memory.
        self._met_in: "Optional[weakref.ref[Namesystem]]" = None
        self._met: Dict[str, str] = {}

    @property
    def namesystem(self) -> Namesystem:
        """The one that serves now; raises NotLeader when there is none."""
        return self._namesystem_of()

    @property
    def listener(self) -> Listener:
        """Who hears datanodes now; raises NotLeader while nothing is loaded."""
        return self._listener_of()

    @property
    def peer(self) -> Peer:
        """Who is at its other end, whomever he acts for."""
        return self._service.peer

    @property
    def host(self) -> str:
        """Where the caller is."""
        return self._service.peer.host

    @property
    def principal(self) -> str:
        """Who is at its other end: proved in mode `secret`. It is he who dials datanodes."""
        return str(self._service.peer.principal)

    @property
    def bearer(self) -> Bearer:
        """Who presents the tokens that are given out here, and for whom."""
        acting = self.acting
        return Bearer(self.principal, str(Principal(USER, acting.user)) if acting else "")

    @property
    def user(self) -> str:
        """Whose calls these are."""
        return self.acting.user if self.acting is not None else self.peer.principal.user

    @property
    def shown(self) -> str:
        """The user, and by whom he is acted for, as HDFS writes it."""
        acting, principal = self.acting, self.peer.principal
        if acting is None:
            return self.user
        way = [principal]
        if acting.proxy not in (None, principal):
            way.insert(0, acting.proxy)
        via = [one.name if one.role == USER else str(one) for one in way]
        return f"{acting.user} (auth:{acting.way}) via {' via '.join(via)}"

    def act(self, acting: Acting) -> None:
        """Its calls are from now on for somebody else. Raises PermissionDenied for who says that a
        second time, or after a call that was his own, or by proxy of a superuser."""
        if self.acting is not None or self._identified_until or self._met_in is not None:
            raise PermissionDenied(
                "for whom a connection calls is said once, before everything else"
            )
        self._identify(acting)
        self.acting = acting

    @property
    def caller(self) -> Caller:
        """Who calls. Groups are looked up, outside of every lock, unless that was done just now.

        The lookup may ask a directory service; done in each call it took 44 % of a stat's time.
        """
        now = time.monotonic()
        if now >= self._identified_until:
            self._caller = self._identify(self.acting)
            self._identified_until = now + GROUPS_SECONDS
        return self._caller

    def _identify(self, acting: Optional[Acting]) -> Caller:
        user = acting.user if acting is not None else self.peer.principal.user
        caller = identify(user, self.groups_of, self._superuser, SUPERGROUP)
        if acting is not None and acting.proxy is not None and caller.superuser:
            raise PermissionDenied(
                f"User: {acting.proxy.user} is not allowed to impersonate {user}: nobody acts for "
                "a superuser"
            )
        return caller

    def require_superuser(self) -> None:
        """Raise PermissionDenied unless an administrator calls."""
        require_superuser(self.caller)

    def gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._service.gone()

    @property
    def proved(self) -> bool:
        """Whether the caller proved who he is."""
        return self._service.peer.proved

    def own_address(self, address: Address) -> str:
        """The principal, a datanode; PermissionDenied unless it serves there. One of an older
        release, in mode `simple`, does not tell where it does."""
        principal = self._service.peer.principal
        if principal.name and principal != server_at(DATA_NODE, address):
            raise PermissionDenied(f"{principal} may not register as the datanode at {address}")
        return str(principal)

    def own_session(self, session: int) -> int:
        """A session of this datanode's; SessionExpired when it is over, or another's: in that,
        nobody can report, or take orders, in its place."""
        principal = self.principal
        self.listener.ask_blocks(lambda blocks: blocks.require_own(session, principal))
        return session

    def own_client(self, client_id: str) -> str:
        """A client's name in the namenode, which tells whose it is: ids are shown to all who meet
        a lease, and another user who presents one reaches neither its files nor its answers."""
        namesystem = self.namesystem
        if self._met_in is None or self._met_in() is not namesystem:
            self._met_in, self._met = weakref.ref(namesystem), {}
        return self._met.get(client_id) or self._meet(client_id, namesystem)

    def own_operation(self, op: Operation, args: Tuple[Any, ...]) -> Op:
        """The name of one of this user's calls, which tells of its arguments too: processes that
        share an id by mistake must not get each other's answers."""
        if op.floor > op.number:
            raise InvalidArgument("a client waits for the call that it makes")
        told = repr(args).encode("utf-8", "backslashreplace")
        digest = blake2b(told, digest_size=DIGEST_BYTES).hexdigest()
        return Op(self.own_client(op.client_id), op.number, digest, op.floor)

    def ended(self, by_client: bool) -> None:
        """What the clients of this connection write is free soon when they do not come back."""
        namesystem = None if self._met_in is None else self._met_in()
        now = time.monotonic()
        if namesystem is None or namesystem.over:
            return
        try:
            for client_id in self._met.values():
                namesystem.read(lambda state: state.writing.part(client_id, by_client, now))
        except DfsError as error:
            # Such as the end of the term: the next one knows nothing of these clients.
            log.info("client.not_parted", host=self.host, error=error.message)

    def _meet(self, client_id: str, namesystem: Namesystem) -> str:
        """Tell that the client is here, so that it can be told when it is not; its name."""
        check_client(client_id)
        if CLIENT_OF in client_id:
            raise InvalidArgument(f"a client's id must not contain {CLIENT_OF}")
        name = f"{client_id}{CLIENT_OF}{self.caller.user}"
        if len(self._met) < CLIENTS_MAX:
            namesystem.read(lambda state: state.writing.arrive(name, self.host))
            self._met[client_id] = name
        return name
