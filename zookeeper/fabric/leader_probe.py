"""Looks elsewhere for the leader while calls wait for one that may be none any more.

Theory of operation. A leader that is suspended, or cut off, keeps its connections, so a call there
waits for its whole time, although another one leads long since. A thread looks at the calls that
are under way; when one has waited for a while, it asks the other servers in which epoch they lead.
Who leads has proved it, so nobody else does: the calls that wait elsewhere are hung up on. For
their callers that is an outage like any other, and they repeat at the leader what may be repeated.
"""

import threading
import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.forks import Forkable, watch
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address

PATIENCE_SECONDS = 1.0
"""How long a call waits before anybody else is asked."""

LOOK_SECONDS = 0.25
"""The pause between two looks at the calls that wait."""

IDLE_LOOKS = 40
"""After so many looks at nothing the thread ends; the next call begins another one."""


class _Busy(NamedTuple):
    """A call under way, and since when."""

    address: Address
    since: float


class LeaderProbe(Forkable):
    """That of one pool; thread-safe. `epoch_of(address)` asks the server there in which epoch it
    leads, 0 when it does not, and raises errors of ours; `found` is told who leads instead."""

    def __init__(
        self,
        addresses: Sequence[Address],
        epoch_of: Callable[[Address], int],
        found: Callable[[Address], None],
    ) -> None:
        self._addresses = tuple(addresses)
        self._epoch_of = epoch_of
        self._found = found
        self._epochs: Dict[Address, int] = {}
        """The newest epoch in which each was ever found to lead."""
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._busy: Dict[Remote, _Busy] = {}
        self._closed = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def forked(self) -> None:
        """The thread is the parent's, and so are the calls."""
        self._begin()

    @contextmanager
    def watching(self, address: Address, remote: Remote) -> Iterator[None]:
        """While a call to the server at this address is under way."""
        with self._lock:
            self._busy[remote] = _Busy(address, time.monotonic())
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._keep, name="leader-probe", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._busy[remote]

    def close(self) -> None:
        """Look no more."""
        self._closed.set()

    def _keep(self) -> None:
        idle = 0
        while not self._closed.wait(LOOK_SECONDS):
            with self._lock:
                idle = 0 if self._busy else idle + 1
                if idle >= IDLE_LOOKS:
                    self._thread = None
                    return
            self._look()

    def _look(self) -> None:
        for address in {one.address for one in self._overdue().values()}:
            leader = self._leader_but(address)
            if leader is None:
                continue
            self._found(leader)
            with self._lock:
                # Under the lock none of them can have become another call's.
                for remote, one in self._overdue_now():
                    if one.address == address:
                        remote.interrupt()

    def _overdue(self) -> Dict[Remote, _Busy]:
        with self._lock:
            return dict(self._overdue_now())

    def _overdue_now(self) -> List[Tuple[Remote, _Busy]]:
        long_ago = time.monotonic() - PATIENCE_SECONDS
        return [(remote, one) for remote, one in self._busy.items() if one.since <= long_ago]

    def _leader_but(self, asked: Address) -> Optional[Address]:
        """Who leads, in a later epoch than the one that was asked ever did; or None."""
        for address in self._addresses:
            if address == asked or self._closed.is_set():
                continue
            try:
                epoch = self._epoch_of(address)
            except DfsError:
                continue  # One that cannot be asked does not lead, as far as we are concerned.
            self._epochs[address] = max(epoch, self._epochs.get(address, 0))
            if epoch > self._epochs.get(asked, 0):
                return address
        return None

    def __repr__(self) -> str:
        return f"<LeaderProbe of {len(self._busy)} calls>"
