"""Somebody on the network, who speaks TLS with both sides and passes on what they say."""

import socket
import threading
import time
from typing import List, Tuple

from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.identity import ZOOKEEPER
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import adopt, dial
from zookeeper.fabric.stream import Stream
from zookeeper.fabric.tls import Tls

_LOOK_SECONDS = 0.01


class Middle:
    """Takes one connection in the place of a zookeeper, and makes one to it; use it in a `with`."""

    def __init__(self, target: Address, tls: Tls) -> None:
        self._target = target
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_SECONDS)
        self.address = Address(*self._listener.getsockname())
        self.relayed = 0
        """How many bytes went through."""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Middle":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        network, deadline = NetworkSettings(), time.monotonic() + PATIENCE_SECONDS
        sock, _ = self._listener.accept()
        victim = self._tls.answer(adopt(sock, network, "victim"), deadline)
        plain = dial(self._target, network, "zookeeper")
        server = self._tls.call(plain, ZOOKEEPER, self._target.host, deadline)
        pairs: List[Tuple[Stream, Stream]] = [(victim, server), (server, victim)]
        try:
            while True:
                for source, sink in pairs:
                    while source.poll(_LOOK_SECONDS):
                        sink.write(source.read(1))
                        self.relayed += 1
        except DfsError:
            pass  # One of them has had enough.
        victim.close()
        server.close()
