"""Who has an account on a client's machine, and no key, takes the name of a datanode there."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import List, Tuple

import pytest

from tests.support.clusters.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

CONTENT = b"nobody else's business\n" * 100
SILENT_SECONDS = 2


class Squatter:
    """Listens on the Unix socket that is a datanode's, and passes all on to its port and back, or
    says nothing at all."""

    def __init__(self, address: Tuple[str, int], silent: bool = False) -> None:
        self._address = address
        self._silent = silent
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind("\0pyhdfs/data_node@{}:{}".format(*address))
        self._listener.listen()
        self._open: List[socket.socket] = [self._listener]
        self.callers = 0
        self.heard = bytearray()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> "Squatter":
        return self

    def __exit__(self, *exception: object) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.callers += 1
                self._open.append(near)
                if not self._silent:
                    far = socket.create_connection(self._address)
                    self._open.append(far)
                    for pair in ((near, far), (far, near)):
                        threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while True:
                data = source.recv(1 << 16)
                self.heard += data
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
                if not data:
                    return


@pytest.mark.parametrize("silent", [False, True], ids=["passes all on", "says nothing"])
def test_he_hears_and_changes_nothing(tmp_path: Path, silent: bool) -> None:
    """As on the machine of a client whose datanodes are elsewhere: there no name is taken."""
    network = {"bind_host": "127.0.0.1", "handshake_timeout_seconds": SILENT_SECONDS}
    cluster = Cluster(tmp_path, data_nodes=1, security="secret", network=network,
                      name_node={"replication_factor": 1})
    with Squatter(cluster.address("data_node_0"), silent) as squatter, cluster:
        assert cluster.client("put", "-", "/f", stdin=CONTENT).status == 0
        assert cluster.client("cat", "/f").out == CONTENT
        assert squatter.callers, "the client never called"
        assert CONTENT[:20] not in squatter.heard and b"open_replica" not in squatter.heard
