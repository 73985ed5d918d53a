"""Streams, and the sockets of their peers."""

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Optional, Tuple

from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links import certificates
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.sockets import adopt
from zookeeper.fabric.stream import Stream
from zookeeper.fabric.tls import Tls

STALL_SECONDS = 0.3

LARGE = bytes(range(256)) * 40_000  # 10 MB: more than the kernel holds for a connection.

Ends = Tuple[Stream, socket.socket]


def patient() -> float:
    """A deadline that no honest step reaches."""
    return time.monotonic() + PATIENCE_SECONDS


def plain() -> Ends:
    """A stream that stalls after 0.3 s, and the peer's plain socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    far.settimeout(PATIENCE_SECONDS)
    return adopt(near, NetworkSettings(stall_timeout_seconds=STALL_SECONDS), "the peer"), far


def with_tls(folder: Path) -> Ends:
    """The same with TLS on it; the peer's is the one of the standard library."""
    security = certificates.settings(folder, DATA_NODE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(security.certificate_file, security.certificate_key_file)
    stream, far = plain()
    deadline = time.monotonic() + PATIENCE_SECONDS
    call = partial(Tls(security, DATA_NODE).call, stream, DATA_NODE, "localhost", deadline)
    with ThreadPoolExecutor(1) as pool:
        called = pool.submit(call)
        far = context.wrap_socket(far, server_side=True)
        return called.result(), far


def pair(folder: Optional[Path]) -> Tuple[Stream, Stream]:
    """Both ends of a connection; with TLS by the certificates of a folder."""
    near, socket_there = plain()
    far = adopt(socket_there, NetworkSettings(), "near")
    if folder is None:
        return near, far
    tls = Tls(certificates.settings(folder, DATA_NODE), DATA_NODE)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(tls.answer, far, deadline)
        called = tls.call(near, DATA_NODE, "localhost", deadline)
        return called, answered.result()
