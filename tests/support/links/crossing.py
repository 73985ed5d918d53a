"""One address of a daemon, behind which everybody who dials it has a link of his own.

Who keeps the record is known to all by one address, so that a cluster in which each saw it at
another would be none: links that can be cut one by one have to begin behind the address. Who dials
is found in Linux's tables of sockets; where there are none, everybody is the stranger.
"""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional

from tests.support.links.proxy import Address, Proxy

Processes = Callable[[], Mapping[str, int]]
"""The process id of each who may dial, by his name, now."""

_SOCKETS = Path("/proc/net/tcp")


class Crossing(Proxy):
    """Listens on an address of `target`'s; each connection takes the link of who made it."""

    def __init__(
        self, target: Address, listen: Address, processes: Processes, stranger: str
    ) -> None:
        self._processes = processes
        self._stranger = stranger
        self._links: Dict[str, Proxy] = {}
        super().__init__(target, listen)

    def link(self, who: str) -> Proxy:
        """The link of one who dials."""
        with self._changed:
            if who not in self._links:
                self._links[who] = Proxy(self.target, None)
            return self._links[who]

    def take(self, near: socket.socket) -> None:
        """Pass on a connection by the link of who made it."""
        try:
            peer, own = near.getpeername()[:2], near.getsockname()[:2]
        except OSError:
            near.close()  # It is gone already.
            return
        who = dialler(peer, own, self._processes()) or self._stranger
        self.link(who).take(near)

    def close(self) -> None:
        """End for good, with all links."""
        super().close()
        for link in self._links.values():
            link.close()


def dialler(near: Address, far: Address, processes: Mapping[str, int]) -> Optional[str]:
    """Who of these has a connection from `near` to `far`; None when it is none of them."""
    inode = _inode_of(near, far)
    if inode is None:
        return None
    for who, process in processes.items():
        with suppress(OSError):  # It ended, or is about to.
            folder = f"/proc/{process}/fd"
            for handle in os.listdir(folder):
                with suppress(OSError):  # It was closed since.
                    if os.readlink(f"{folder}/{handle}") == f"socket:[{inode}]":
                        return who
    return None


def _inode_of(near: Address, far: Address) -> Optional[str]:
    ends = [_as_told(near), _as_told(far)]
    with suppress(OSError), _SOCKETS.open("r", encoding="ascii") as rows:
        for row in rows:
            words = row.split()
            if words[1:3] == ends:
                return words[9]
    return None


def _as_told(address: Address) -> str:
    """As the table of sockets writes an address: the host in the order of this machine's bytes."""
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), "little")
    return f"{number:08X}:{port:04X}"
