"""The serving side: an accept loop that survives what kills RPyC's own, a thread a connection.

Theory of operation. Stock ThreadedServer exits at the first EMFILE and keeps a silent client's
thread for ever. Here `accept` errors are logged, waited out and survived; at the limit of
connections, the one that has been idle longest makes room (honest clients dial again), so a
thousand silent connections cannot lock honest clients out; a handshake has a total deadline; and
`stop` first refuses new calls, then waits for the running ones, then closes what is left.
"""

import resource
import threading
import time
from typing import Any, Callable, Dict, Optional

from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.fabric.handshake import welcome
from zookeeper.fabric.rpc import Peer, Service, adopt, listen, serve
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.stream import Stream

log = logs.get("server")

ACCEPT_PAUSE_SECONDS = 0.1
"""How long to wait after accept failed for lack of descriptors, threads or memory."""


class _Client:
    """One accepted connection, as the server keeps track of it."""

    def __init__(self, stream: Stream, host: str, now: float) -> None:
        self.stream = stream
        self.host = host
        self.busy = False
        self.idle_since = now


class Server:
    """Serves one kind of service at one address until `stop`.

    `name` is `role@host:port` as others dial it, `bind_host` and `port` where to listen. `factory`
    makes a service for each connection.
    """

    def __init__(
        self,
        name: str,
        bind_host: str,
        port: int,
        factory: Callable[[], Service],
        credentials: Credentials,
        network: NetworkSettings,
    ) -> None:
        self._name = name
        self._factory = factory
        self._credentials = credentials
        self._network = network
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._clients: Dict[int, _Client] = {}
        self._stopping = False
        self._listener = listen(bind_host, port)
        self.address = Address(bind_host, self._listener.getsockname()[1])

    def start(self) -> None:
        """Begin to accept connections, in a thread."""
        _allow_descriptors(4 * self._network.max_connections)
        threading.Thread(target=self._accept_all, name="accept", daemon=True).start()

    def stop(self, drain_seconds: float = 5.0) -> None:
        """Stop accepting, let running calls finish for `drain_seconds`, close everything."""
        deadline = time.monotonic() + drain_seconds
        with self._lock:
            self._stopping = True
            for client in self._clients.values():
                if not client.busy:
                    client.stream.interrupt()
            while any(client.busy for client in self._clients.values()):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            for client in self._clients.values():
                client.stream.interrupt()
        _close_listener(self._listener)

    def __repr__(self) -> str:
        with self._lock:
            busy = sum(client.busy for client in self._clients.values())
            return f"<Server {self._name}: {len(self._clients)} connections, {busy} busy>"

    def _accept_all(self) -> None:
        while not self._stopping:
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                if self._stopping:
                    return
                log.warning("accept.failed", server=self._name, error=error.strerror)
                self._make_room(None)
                time.sleep(ACCEPT_PAUSE_SECONDS)
                continue
            try:
                self._admit(sock, address[0])
            except (OSError, RuntimeError) as error:
                # RuntimeError: can't start new thread. The client is told by the closed connection.
                log.warning("connection.refused", server=self._name, error=error)
                sock.close()
                time.sleep(ACCEPT_PAUSE_SECONDS)

    def _admit(self, sock: Any, host: str) -> None:
        stream = adopt(sock, self._network, f"client {host}")
        client = _Client(stream, host, time.monotonic())
        with self._lock:
            of_host = sum(other.host == host for other in self._clients.values())
            crowded = of_host >= self._network.max_connections_per_host
            full = len(self._clients) >= self._network.max_connections
            self._clients[id(client)] = client
        if crowded or full:
            self._make_room(host if crowded else None, but=client)
        try:
            threading.Thread(
                target=self._serve, args=(client,), name=f"client {host}", daemon=True
            ).start()
        except RuntimeError:
            self._forget(client)
            raise

    def _make_room(self, host: Optional[str], but: Optional[_Client] = None) -> None:
        """End the connection that has been idle longest (of `host` when given)."""
        with self._lock:
            idle = [
                client
                for client in self._clients.values()
                if not client.busy and client is not but and host in (None, client.host)
            ]
            victim = min(idle, key=lambda client: client.idle_since, default=but)
            if victim is not None:
                victim.stream.interrupt()
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
        network = self._network
        principal = welcome(
            client.stream,
            self._credentials,
            self._name,
            network.handshake_timeout_seconds,
            network.idle_timeout_seconds,
        )
        if principal is None:
            return
        service = self._factory()
        service.peer = Peer(principal, client.host)
        connection = serve(client.stream, service, network)
        try:
            while client.stream.poll(network.idle_timeout_seconds) and self._begin(client):
                if not connection.serve_request():
                    return
                self._end(client)
        finally:
            connection.close()

    def _begin(self, client: _Client) -> bool:
        with self._lock:
            client.busy = not self._stopping
            return client.busy

    def _end(self, client: _Client) -> None:
        with self._lock:
            client.busy = False
            client.idle_since = time.monotonic()
            if self._stopping:
                client.stream.interrupt()
                self._changed.notify_all()

    def _forget(self, client: _Client) -> None:
        client.stream.close()
        with self._lock:
            self._clients.pop(id(client), None)
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
