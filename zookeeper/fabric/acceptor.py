"""The accept loop that every server stands on: a thread a connection, and room for newcomers.

Theory of operation. Stock ThreadedServer exits at the first EMFILE and keeps a silent client's
thread for ever. Here `accept` errors are logged, waited out and survived; at the limit of
connections, the one that has been idle longest makes room (honest clients dial again), so a
thousand silent connections cannot lock honest clients out (`places.py`). What is spoken on a
connection, this module does not know: `_converse` does.
"""

import errno
import resource
import select
import threading
import time
from typing import Any, Generic, Iterable, List, Optional, Set, Tuple, TypeVar

from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.fabric.figures import Family, counter, gauge
from zookeeper.fabric.places import Place, plain_host, who_makes_room
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import accept, adopt, listen
from zookeeper.fabric.stream import Stream

log = logs.get("server")

ACCEPT_PAUSE_SECONDS = 0.1
"""How long to wait after accept failed for lack of descriptors, threads or memory."""

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_FAREWELL_SECONDS = 1.0
"""How long `stop` waits for threads whose connections it has cut."""


class Client(Place):
    """One accepted connection, as its server keeps track of it."""

    def __init__(self, stream: Stream, host: str) -> None:
        super().__init__(host, time.monotonic())
        self.stream = stream
        self.outdated = False
        """Whether it may only end what it does, and then has to come anew."""
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


Visitor = TypeVar("Visitor", bound=Client)


class Acceptor(Generic[Visitor]):
    """Accepts connections at one address until `stop`, and gives each a thread.

    `name` is what logs call it, `bind_host` and `port` are where it listens. Who builds on it
    converses with a client, and says when a request of his begins and ends.
    """

    look_seconds: Optional[float] = None
    """How often `_look` is called besides, if at all."""

    def __init__(self, name: str, bind_host: str, port: int, network: NetworkSettings) -> None:
        self._name = name
        self._network = network
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._clients: Set[Visitor] = set()
        self._accepted = self._evicted = 0
        self._stopping = False
        self._acceptor = threading.Thread(target=self._accept_all, name="accept", daemon=True)
        self._listeners = {one.fileno(): one for one in listen(bind_host, port)}
        first = next(iter(self._listeners.values()))
        self.address = Address(bind_host, first.getsockname()[1])

    # What is for those who build on it to say.

    def _converse(self, client: Visitor) -> None:
        """Serve a client to the end of its connection; errors of the family end it, too."""
        raise NotImplementedError

    def _client(self, stream: Stream, host: str) -> Visitor:
        """What is kept of a new connection."""
        raise NotImplementedError

    def _look(self) -> None:
        """What is to be looked after, every `look_seconds`."""

    # What they are given.

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

    def figures(self) -> Tuple[Family, ...]:
        """Who is there, and how many came and had to go."""
        with self._lock:
            there, busy = len(self._clients), sum(client.busy for client in self._clients)
        return (
            gauge("pyhdfs_connections", "Open connections.", there),
            gauge("pyhdfs_connections_busy", "Connections with a call that runs.", busy),
            counter("pyhdfs_connections_accepted_total", "Connections so far.", self._accepted),
            counter("pyhdfs_connections_evicted_total",
                    "Connections that had to make room, or found none.", self._evicted),
        )  # fmt: skip

    def __repr__(self) -> str:
        with self._lock:
            busy = sum(client.busy for client in self._clients)
            return f"<Server {self._name}: {len(self._clients)} connections, {busy} busy>"

    def _is_quiet(self) -> bool:
        return not any(client.busy for client in self._clients)

    def _begin(self, client: Visitor) -> bool:
        """Whether a call may run now: not when we stop, or have just sent the client away."""
        with self._lock:
            client.busy = not (self._stopping or client.ended) and client in self._clients
            return client.busy

    def _end(self, client: Visitor) -> None:
        with self._lock:
            client.busy = False
            client.idle_since = time.monotonic()
            if self._stopping or client.outdated:
                client.stream.interrupt()
            if self._stopping:
                self._changed.notify_all()

    def _accept_all(self) -> None:
        poll = select.poll()
        for descriptor in self._listeners:
            poll.register(descriptor, select.POLLIN)
        seconds = self.look_seconds
        look_at, pause = 0.0, None if seconds is None else 1000 * seconds
        while not self._stopping:
            for descriptor, _ in poll.poll(pause):
                self._accept(self._listeners[descriptor])
            if seconds is not None and time.monotonic() >= look_at:
                try:
                    self._look()
                except Exception:  # A defect in there must not end the loop that lets people in.
                    log.error("look.failed", exc_info=True, server=self._name)
                look_at = time.monotonic() + seconds

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
        client = self._client(adopt(sock, self._network, f"client {host}"), host)
        with self._lock:
            rivals = self._rivals(client.neighbourhood)
            victim = self._dismiss(rivals)
            admitted = not self._stopping and (victim is not None or not rivals)
            self._accepted += admitted
            self._evicted += bool(rivals)
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

    def _rivals(self, neighbourhood: str) -> List[Visitor]:
        """Those with whom a newcomer competes for a place; none while there is room."""
        of_host = [one for one in self._clients if one.neighbourhood == neighbourhood]
        if len(of_host) >= self._network.max_connections_per_host:
            return of_host
        full = len(self._clients) >= self._network.max_connections
        return list(self._clients) if full else []

    def _dismiss(self, clients: Iterable[Visitor]) -> Optional[Visitor]:
        """End the connection that has to make room; None if all are busy."""
        victim = who_makes_room(clients, time.monotonic())
        if victim is not None:
            self._clients.remove(victim)
            victim.end()
        return victim

    def _note_eviction(self, victim: Optional[Visitor]) -> None:
        if victim is not None:
            log.warning("connection.evicted", server=self._name, host=victim.host)

    def _serve(self, client: Visitor) -> None:
        try:
            self._converse(client)
        except Unavailable:
            pass  # The client went away, stalled, or was sent away.
        except DfsError as error:
            log.warning("connection.failed", host=client.host, error=error.message)
        except Exception:  # A defect of ours must cost one connection, and be seen.
            log.error("connection.failed", exc_info=True, host=client.host)
        finally:
            self._forget(client)

    def _has_left(self, client: Visitor) -> bool:
        """Whether a connection that is over was not ended by us."""
        with self._lock:
            return not self._stopping and client in self._clients

    def _forget(self, client: Visitor) -> None:
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
