"""A server that a test plays byte by byte."""

import socket
import struct

from rpyc.core import brine

from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.sockets import adopt


class Impostor:
    """A peer of a Remote whose every byte the test decides; no handshake."""

    def __init__(self, stall_seconds: float = PATIENCE_SECONDS) -> None:
        near, self.socket = socket.socketpair()
        self.socket.settimeout(PATIENCE_SECONDS)
        network = NetworkSettings(stall_timeout_seconds=stall_seconds)
        self.remote = Remote(adopt(near, network, "impostor"), network, "impostor")

    def say(self, message: bytes, compressed: int = 0, length: int = -1) -> None:
        """Send a frame ahead of the call that it will answer."""
        size = len(message) if length < 0 else length
        self.socket.sendall(struct.pack("!LB", size, compressed) + message + b"\n")


def reply(value: object, number: int = 1) -> bytes:
    """The message of a reply."""
    return b"\x02" + brine.dump((number, (1, value)))
