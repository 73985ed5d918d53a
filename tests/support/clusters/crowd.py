"""Very many connections to a cluster's daemons at a time, of those who mean no good."""

import socket
import time
from contextlib import suppress
from typing import Any, List, Optional

from tests.support.clusters.callers import Caller
from tests.support.clusters.cluster import Cluster
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.frames import Request
from zookeeper.fabric.remote import Remote

SECONDS = 5.0
"""How long one of them tries to connect, or to send."""


class Crowd:
    """What is open of theirs; all is closed at the end."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sockets: List[socket.socket] = []
        self._remotes: List[Remote] = []

    def stranger(self, role: str, *, says: bytes = b"") -> None:
        """One more who connects, says this, and no more."""
        with suppress(OSError):
            made = socket.create_connection(self._cluster.address(role), SECONDS)
            self._sockets.append(made)
            made.sendall(says)

    def join(self, caller: Caller) -> Optional[Remote]:
        """One more connection of a caller, if he gets one."""
        with suppress(DfsError):
            remote = caller.dial()
            self._remotes.append(remote)
            return remote
        return None

    def begin(self, caller: Caller, name: str, *args: Any) -> None:
        """Make a call on a connection of its own, and do not wait for the answer."""
        remote = self.join(caller)
        if remote is not None:
            with suppress(DfsError):
                message = remote._message(Request(name, args))
                remote._frames.send(message, time.monotonic() + SECONDS)

    def send(self, caller: Caller, data: bytes) -> None:
        """Send these bytes on a connection of its own, as far as they are taken."""
        remote = self.join(caller)
        if remote is not None:
            with suppress(DfsError):
                remote._stream.write(data)

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *exception: object) -> None:
        for remote in self._remotes:
            remote.close()
        for made in self._sockets:
            made.close()
