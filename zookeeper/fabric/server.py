"""The serving side of RPC: who calls, whether he may, and his calls, one after the other.

Theory of operation. On top of the accept loop (`acceptor.py`): neither can half requests or calls
that only wait lock honest clients out, nor large messages that are never finished, or never read
(`budget.py`). A handshake has a total deadline; whose key is void by now is sent away; and `stop`
first refuses new calls, then waits for the running ones, then closes what is left.
"""

import time
from typing import Callable, Optional, Tuple

from zookeeper.fabric import logs
from zookeeper.fabric.acceptor import Acceptor, Client
from zookeeper.fabric.auth import Caller, Credentials, Keyring
from zookeeper.fabric.budget import Account, Budget
from zookeeper.fabric.errors import StartRefused
from zookeeper.fabric.figures import Family
from zookeeper.fabric.handshake import secure, welcome
from zookeeper.fabric.identity import ANONYMOUS
from zookeeper.fabric.meter import Meter
from zookeeper.fabric.places import crowd_of, idle_longest
from zookeeper.fabric.process import process_figures
from zookeeper.fabric.rpc import Peer, Service, serve
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.sockets import listen_here
from zookeeper.fabric.stream import Stream

log = logs.get("server")

LOOK_SECONDS = 1.0
"""How often keys and lists of the revoked are looked at, besides at every handshake."""

BUFFERED_BYTES_MAX = 64 << 20
"""What all large messages that come in, or are not read, may have together."""


class _Caller(Client):
    """A connection with who is at its other end; outdated when his key is valid no more."""

    def __init__(self, stream: Stream, host: str) -> None:
        super().__init__(stream, host)
        self.caller = Caller(ANONYMOUS)


class Server(Acceptor[_Caller]):
    """Serves one kind of service at one address until `stop`.

    `name` is `role@host:port` as others dial it, `bind_host` and `port` where to listen. `factory`
    makes a service for each connection. `large_requests_of` names the role whose requests may be as
    large as a frame: all others need little, and might only send much to fill the memory. With
    `here` it listens on a Unix socket as well, for clients on this machine.
    """

    def __init__(
        self,
        name: str,
        bind_host: str,
        port: int,
        factory: Callable[[], Service],
        credentials: Credentials,
        network: NetworkSettings,
        large_requests_of: str = "",
        here: bool = False,
    ) -> None:
        super().__init__(name, bind_host, port, network)
        self._large_requests_of = large_requests_of
        self._budget = Budget(max(BUFFERED_BYTES_MAX, 4 * network.max_frame_bytes))
        self._factory = factory
        self._credentials = credentials
        self._keyring = credentials.keyring()
        if self._keyring is not None:
            self.look_seconds = LOOK_SECONDS
        self._meter = Meter()
        if here:
            self._listen_here()

    @property
    def keyring(self) -> Optional[Keyring]:
        """With what callers are checked, as it was seen last; None in mode `simple`."""
        return self._keyring

    def figures(self) -> Tuple[Family, ...]:
        """What every server tells: of its process, its connections, its calls."""
        return (*process_figures(), *super().figures(), *self._meter.figures())

    def _client(self, stream: Stream, host: str) -> _Caller:
        return _Caller(stream, host)

    def _look(self) -> None:
        self.look_at_keys()

    def look_at_keys(self) -> None:
        """Send those away whose keys were revoked or replaced; it is also done every moment."""
        keyring = self._credentials.keyring()
        if keyring is not None and keyring is not self._keyring:
            self._keyring = keyring
            with self._lock:
                known = [client for client in self._clients if client.known]
                for client in known:
                    self._check(client, keyring)

    def _check(self, client: _Caller, keyring: Keyring) -> None:
        principal, key_id, issued = client.caller
        if keyring.revokes(str(principal), issued):
            log.warning("connection.revoked", principal=principal, host=client.host)
            client.end()
        elif keyring.server_key(key_id) is None:
            client.outdated = True
            if not client.busy:
                client.end()

    def _listen_here(self) -> None:
        try:
            listener = listen_here(self._name)
        except StartRefused as error:
            # Whoever has the name keeps nobody from the port, which serves all the same.
            log.warning("server.not_here", server=self._name, error=error.message)
            return
        self._listeners[listener.fileno()] = listener

    def _settle(self, client: _Caller, caller: Caller) -> bool:
        """The client is who it is: whether there is a place for one more of them."""
        victim = None
        with self._lock:
            client.caller, client.principal = caller, caller.principal
            if self._keyring is not None:
                self._check(client, self._keyring)  # It may have changed since the handshake.
            network = self._network
            crowd = crowd_of(
                client, self._clients, network.max_connections_per_host, network.max_connections
            )
            allowed = not crowd
            if crowd:
                victim = idle_longest(one for one in crowd if one is not client)
                if victim is not None:
                    self._clients.remove(victim)
                    victim.end()
        if not allowed and victim is None:
            log.warning(
                "connection.share_taken", principal=client.principal, host=client.host
            )
        return allowed or victim is not None

    def _converse(self, client: _Caller) -> None:
        network, tls = self._network, self._credentials.tls
        self.look_at_keys()
        deadline = time.monotonic() + network.handshake_timeout_seconds
        if tls is not None and not client.stream.local:
            client.stream = secure(client.stream, tls, self._name, deadline)
        caller = welcome(
            client.stream,
            self._keyring,
            self._name,
            deadline - time.monotonic(),
            network.idle_timeout_seconds,
        )
        if caller is None or not self._settle(client, caller):
            return
        service = self._factory()
        proved = self._keyring is not None
        service.peer = Peer(caller.principal, client.host, proved, caller.issued)
        service.meter = self._meter
        service.server_figures = self.figures  # type: ignore[method-assign]
        service.gone = client.gone  # type: ignore[method-assign]
        service.note_waiting = client.note_waiting  # type: ignore[method-assign]
        account = Account(self._budget, client.group, client.end)
        large = caller.principal.role == self._large_requests_of
        connection = serve(client.stream, service, network, account, large)
        try:
            while client.stream.poll(network.idle_timeout_seconds):
                request = connection.receive()
                if request is None or not self._begin(client):
                    return
                connection.answer(request)
                if client.stream.closed:
                    return
                self._end(client)
        finally:
            connection.close()
            account.release()
            service.ended(self._has_left(client))
            # Its parts know it and each other: without this only the collector could free them.
            service.__dict__.clear()
