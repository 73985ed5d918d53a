"""The connections to one namenode, whose calls can be given up when another one leads."""

import threading
import time
from typing import Any, Dict, Optional, Tuple

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Call
from zookeeper.fabric.identity import NAME_NODE
from zookeeper.fabric.pools import ConnectionPool
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, NetworkSettings


class NameNodeLine:
    """May be used by many threads."""

    def __init__(
        self, address: Address, credentials: Credentials, network: NetworkSettings
    ) -> None:
        self.address = address
        self._connections = ConnectionPool(NAME_NODE, credentials, network)
        self._call_seconds = network.call_timeout_seconds
        self._lock = threading.Lock()
        # Since when.
        self._busy: Dict[Remote, float] = {}

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Make a call of a table once; of one without a body."""
        timeout = self._call_seconds if seconds is None else seconds
        remote = self._connections.take(self.address)
        with self._lock:
            self._busy[remote] = time.monotonic()
        try:
            return remote.call(call.name, *args, timeout=timeout)
        finally:
            with self._lock:
                # From here on it may be another call's.
                del self._busy[remote]
            self._connections.give_back(self.address, remote)

    def interrupt(self, seconds: float) -> None:
        """Have the calls fail now that have waited for so long: one that is suspended answers
        none."""
        long_ago = time.monotonic() - seconds
        with self._lock:
            for remote, since in self._busy.items():
                if since <= long_ago:
                    remote.interrupt()

    def close(self) -> None:
        """Close all idle connections."""
        self._connections.close()

    def __repr__(self) -> str:
        return f"<NameNodeLine to {self.address}, {len(self._busy)} calls>"
