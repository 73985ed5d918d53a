"""The serving side: an accept loop that survives what kills RPyC's own, a thread a connection.

Theory of operation. Stock ThreadedServer exits at the first EMFILE and keeps a silent client's
thread for ever. Here `accept` errors are logged, waited out and survived; at the limit of
connections, the one that has been idle longest makes room (honest clients dial again), so a
thousand silent connections cannot lock honest clients out, nor can half requests or calls that only
wait (`places.py`), nor large messages that are never finished, or never read (`budget.py`). A
handshake has a total deadline; whose key is void by now is sent away; and `stop` first refuses new
calls, then waits for the running ones, then closes what is left.
"""

import errno
import resource
import select
import threading
import time
from typing import Any, Callable, Iterable, List, Optional, Set

from zookeeper.fabric import logs
from zookeeper.fabric.auth import Caller, Credentials, Keyring
from zookeeper.fabric.budget import Account, Budget
from zookeeper.fabric.errors import DfsError, StartRefused, Unavailable
from zookeeper.fabric.handshake import secure, welcome
from zookeeper.fabric.identity import ANONYMOUS
from zookeeper.fabric.meter import Meter
from zookeeper.fabric.places import Place, crowd_of, idle_longest, plain_host, who_makes_room
from zookeeper.fabric.rpc import Peer, Service, serve
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import accept, adopt, listen, listen_here
from zookeeper.fabric.stream import Stream

log = logs.get("server")

ACCEPT_PAUSE_SECONDS = 0.1
"""How long to wait after accept failed for lack of descriptors, threads or memory."""

LOOK_SECONDS = 1.0
"""How often keys and lists of the revoked are looked at, besides at every handshake."""

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
BUFFERED_BYTES_MAX = 64 << 20
"""What all large messages that come in, or are not read, may have together."""

_FAREWELL_SECONDS = 1.0
"""How long `stop` waits for threads whose connections it has cut."""


class _Client(Place):
    """One accepted connection, as the server keeps track of it."""

    def __init__(self, stream: Stream, host: str) -> None:
        super().__init__(host, time.monotonic())
        self.stream = stream
        self.caller = Caller(ANONYMOUS)
        self.outdated = False
        """Whether its key is valid no more: it may end what it does, then it has to come anew."""
        self.ended = False
        """Whether it had to make room; its thread may not have noticed yet."""

    def end(self) -> None:
        """Hang up; a call that runs or waits for this client is told so when it looks."""
        self.ended = True
        self.stream.interrupt()

    def gone(self) -> bool:
        """Whether nobody waits for what is being done here; asked by its own thread."""
        return self.ended or self.stream.hung_up()

    def note_waiting(self, waiting: bool) -> None:
        """Its call does nothing but wait from now on, or goes on."""
        self.waiting_since = time.monotonic() if waiting else None


class Server:
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
        self._large_requests_of = large_requests_of
        self._budget = Budget(max(BUFFERED_BYTES_MAX, 4 * network.max_frame_bytes))
        self._name = name
        self._factory = factory
        self._credentials = credentials
        self._keyring = credentials.keyring()
        self._network = network
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._clients: Set[_Client] = set()
        self._stopping = False
        self._meter = Meter()
        self._acceptor = threading.Thread(target=self._accept_all, name="accept", daemon=True)
        self._listeners = {one.fileno(): one for one in listen(bind_host, port)}
        first = next(iter(self._listeners.values()))
        self.address = Address(bind_host, first.getsockname()[1])
        if here:
            self._listen_here()

    @property
    def keyring(self) -> Optional[Keyring]:
        """With what callers are checked, as it was seen last; None in mode `simple`."""
        return self._keyring

    def start(self) -> None:
        """Begin to accept connections, in a thread."""
        _allow_descriptors(4 * self._network.max_connections)
        self._acceptor.start()

    def stop(self, drain_seconds: float = 5.0) -> None:
        """Stop accepting, let running calls finish for `drain_seconds`, close everything.

        A call that goes on for longer loses its connection, and at last its thread is left alone.
        """
        self._stopping = True
        for listener in self._listeners.values():
            _close_listener(listener)
        if self._acceptor.is_alive():
            self._acceptor.join(_FAREWELL_SECONDS)
        with self._changed:
            for client in self._clients:
                if not client.busy:
                    client.stream.interrupt()
            self._changed.wait_for(self._is_quiet, drain_seconds)
            for client in self._clients:
                client.stream.interrupt()
            self._changed.wait_for(lambda: not self._clients, _FAREWELL_SECONDS)

    def look_at_keys(self) -> None:
        """Send those away whose keys were revoked or replaced; it is also done every moment."""
        keyring = self._credentials.keyring()
        if keyring is not None and keyring is not self._keyring:
            self._keyring = keyring
            with self._lock:
                known = [client for client in self._clients if client.known]
                for client in known:
                    self._check(client, keyring)

    def _check(self, client: _Client, keyring: Keyring) -> None:
        principal, key_id, issued = client.caller
        if keyring.revokes(str(principal), issued):
            log.warning("connection.revoked", principal=principal, host=client.host)
            client.end()
        elif keyring.server_key(key_id) is None:
            client.outdated = True
            if not client.busy:
                client.end()

    def __repr__(self) -> str:
        with self._lock:
            busy = sum(client.busy for client in self._clients)
            return f"<Server {self._name}: {len(self._clients)} connections, {busy} busy>"

    def _listen_here(self) -> None:
        try:
            listener = listen_here(self._name)
        except StartRefused as error:
            # Whoever has the name keeps nobody from the port, which serves all the same.
            log.warning("server.not_here", server=self._name, error=error.message)
            return
        self._listeners[listener.fileno()] = listener

    def _is_quiet(self) -> bool:
        return not any(client.busy for client in self._clients)

    def _accept_all(self) -> None:
        poll = select.poll()
        for descriptor in self._listeners:
            poll.register(descriptor, select.POLLIN)
        look_at, pause = 0.0, None if self._keyring is None else 1000 * LOOK_SECONDS
        while not self._stopping:
            for descriptor, _ in poll.poll(pause):
                self._accept(self._listeners[descriptor])
            if pause is not None and time.monotonic() >= look_at:
                self.look_at_keys()
                look_at = time.monotonic() + LOOK_SECONDS

    def _accept(self, listener: Any) -> None:
        if not self._stopping:
            sock = None
            try:
                sock, host = accept(listener)
                self._admit(sock, plain_host(host))
            except BlockingIOError:
                pass  # Whoever it was, he has hung up already.
            except Exception as error:  # Whatever one client brings about, this loop goes on.
                if sock is not None:
                    sock.close()
                if not self._stopping:
                    log.warning("connection.refused", server=self._name, error=error)
                    self._recover(getattr(error, "errno", errno.ENOMEM))

    def _recover(self, number: int) -> None:
        """After accepting failed: free what is short, and give others time to do the same."""
        victim = None
        if number in _SHORTAGES:
            with self._lock:
                victim = self._dismiss(self._clients)
            self._note_eviction(victim)
        if number != errno.ECONNABORTED:
            # One who was sent away is soon gone, and many may be waiting for his place.
            time.sleep(ACCEPT_PAUSE_SECONDS if victim is None else ACCEPT_PAUSE_SECONDS / 10)

    def _admit(self, sock: Any, host: str) -> None:
        client = _Client(adopt(sock, self._network, f"client {host}"), host)
        with self._lock:
            rivals = self._rivals(client.neighbourhood)
            victim = self._dismiss(rivals)
            admitted = not self._stopping and (victim is not None or not rivals)
            if admitted:
                self._clients.add(client)
        self._note_eviction(victim)
        if not admitted:
            log.warning("connection.crowded_out", server=self._name, host=host)
            client.stream.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(client,), name=f"client {host}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # can't start new thread
            self._forget(client)
            raise

    def _rivals(self, neighbourhood: str) -> List[_Client]:
        """Those with whom a newcomer competes for a place; none while there is room."""
        of_host = [one for one in self._clients if one.neighbourhood == neighbourhood]
        if len(of_host) >= self._network.max_connections_per_host:
            return of_host
        full = len(self._clients) >= self._network.max_connections
        return list(self._clients) if full else []

    def _dismiss(self, clients: Iterable[_Client]) -> Optional[_Client]:
        """End the connection that has to make room; None if all are busy."""
        victim = who_makes_room(clients, time.monotonic())
        if victim is not None:
            self._clients.remove(victim)
            victim.end()
        return victim

    def _settle(self, client: _Client, caller: Caller) -> bool:
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

    def _note_eviction(self, victim: Optional[_Client]) -> None:
        if victim is not None:
            log.warning("connection.evicted", server=self._name, host=victim.host)

    def _serve(self, client: _Client) -> None:
        try:
            self._serve_requests(client)
        except Unavailable:
            pass  # The client went away, stalled, or was sent away.
        except DfsError as error:
            log.warning("connection.failed", host=client.host, error=error.message)
        except Exception:  # A defect of ours must cost one connection, and be seen.
            log.error("connection.failed", exc_info=True, host=client.host)
        finally:
            self._forget(client)

    def _serve_requests(self, client: _Client) -> None:
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
        service.peer = Peer(caller.principal, client.host, self._keyring is not None)
        service.meter = self._meter
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

    def _has_left(self, client: _Client) -> bool:
        """Whether a connection that is over was not ended by us."""
        with self._lock:
            return not self._stopping and client in self._clients

    def _begin(self, client: _Client) -> bool:
        """Whether a call may run now: not when we stop, or have just sent the client away."""
        with self._lock:
            client.busy = not (self._stopping or client.ended) and client in self._clients
            return client.busy

    def _end(self, client: _Client) -> None:
        with self._lock:
            client.busy = False
            client.idle_since = time.monotonic()
            if self._stopping or client.outdated:
                client.stream.interrupt()
            if self._stopping:
                self._changed.notify_all()

    def _forget(self, client: _Client) -> None:
        client.stream.close()
        with self._lock:
            self._clients.discard(client)
            self._changed.notify_all()


def _close_listener(listener: Any) -> None:
    try:
        listener.shutdown(2)  # SHUT_RDWR wakes the accepting thread; close alone would not.
    except OSError:
        pass  # Some systems refuse to shut a listening socket down; closing it is enough there.
    listener.close()


def _allow_descriptors(wanted: int) -> None:
    """Raise this process's limit of open files towards `wanted`, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
