"""One connection to the zookeeper that heals itself, and the measure of how long it could not."""

import dataclasses
import random
import threading
from typing import Any, Callable, Optional, Tuple

from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import Unavailable
from zookeeper.fabric.identity import ZOOKEEPER
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, Settings

log = logs.get("coordinator")

PARTS_OF_EXPIRY = 3
"""A call may take this part of a session's expiry, so that a lost one is repeated in time."""

_FIRST_PAUSE_SECONDS = 0.05
_DOUBLINGS_MAX = 16


class Outage:
    """How long the other side has been out of reach, by the time that this process was awake.

    A gap between two attempts that is longer than an attempt takes was our own sleep, and the
    other side is not to blame for it; so no gap counts for more than two thirds of the limit.
    """

    def __init__(self, limit_seconds: float, now: float) -> None:
        self._limit = limit_seconds
        self._last = now
        self._silence = 0.0

    def reached(self, now: float) -> None:
        """The other side answered."""
        self._last, self._silence = now, 0.0

    def failed(self, now: float) -> bool:
        """An attempt failed; whether the outage is longer than the limit now."""
        self._silence += min(now - self._last, self._limit * 2 / 3)
        self._last = now
        return self._silence > self._limit

    def __repr__(self) -> str:
        return f"<Outage {self._silence:.1f} of {self._limit:g} s>"


class Link:
    """A connection to one zookeeper, dialled when needed.

    One thread calls; any other may close, which ends a call in progress.
    """

    def __init__(self, address: Address, settings: Settings, credentials: Credentials) -> None:
        zookeeper, network = settings.zookeeper, settings.network
        self._address = address
        self._credentials = credentials
        self.patience = zookeeper.session_expiry_seconds / PARTS_OF_EXPIRY
        """How long a call may take that does not wait on purpose."""
        handshake = min(network.handshake_timeout_seconds, self.patience)
        self._network = dataclasses.replace(network, handshake_timeout_seconds=handshake)
        self._pause_max = zookeeper.heartbeat_seconds
        self._failures = 0
        self._lock = threading.Lock()
        self._remote: Optional[Remote] = None
        self._closed = False

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Carry a call out once, within `seconds` or else `patience`."""
        remote = self._remote
        if remote is None or remote.closed:
            remote = self._dial()
        result = remote.perform(call, args, self.patience if seconds is None else seconds)
        self._failures = 0
        return result

    def pause(self) -> float:
        """Seconds to wait after a failure: longer after each, and not in step with others."""
        self._failures = min(self._failures + 1, _DOUBLINGS_MAX)
        longest = min(self._pause_max, _FIRST_PAUSE_SECONDS * 2**self._failures)
        return float(longest * random.uniform(0.5, 1.0))

    def close(self) -> None:
        """Break the connection off for good; every call from now on is Unavailable."""
        with self._lock:
            self._closed = True
            remote = self._remote
        if remote is not None:
            remote.close()

    def _dial(self) -> Remote:
        if self._closed:
            raise _closed()
        remote = Remote.connect(ZOOKEEPER, self._address, self._credentials, self._network)
        with self._lock:
            if not self._closed:
                self._remote = remote
                return remote
        remote.close()
        raise _closed()


def _closed() -> Unavailable:
    return Unavailable("the link to the zookeeper is closed")


def tell(callback: Callable[..., None], news: object) -> None:
    """Call back; what its owner does with the news must not end the thread that brings it."""
    try:
        callback(news)
    except Exception as error:
        log.error("callback.failed", exc_info=True, error=type(error).__name__)
