"""Ports for daemons that nobody else on this machine can take meanwhile."""

import socket
import sys
from typing import List


class Ports:
    """Free TCP ports of one loopback address, reserved until `close`.

    A port that was only looked up may be taken before its daemon starts, and again while the
    daemon is dead between kill and restart. So each stays bound by a socket that does not listen:
    on Linux the kernel gives such a port to nobody who asks for any port, yet lets a daemon, which
    sets SO_REUSEADDR as we do, bind and listen on it.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self._sockets: List[socket.socket] = []

    def take(self) -> int:
        """One more port."""
        reservation = socket.socket()
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind((self.host, 0))
        self._sockets.append(reservation)
        port = int(reservation.getsockname()[1])
        if not sys.platform.startswith("linux"):
            # Elsewhere a bound socket would keep the daemon out: a free port has to be enough.
            reservation.close()
        return port

    def close(self) -> None:
        """Give all ports back."""
        while self._sockets:
            self._sockets.pop().close()
