"""The client's line to the namenode: repeats what may be repeated, until a deadline.

Theory of operation. A call whose answer was lost may have run. Reads are simply repeated; every
mutation carries an operation id (client id, call number), and the namenode answers a repeated one
from its retry cache, so repeating has one effect. The first contact of a client fails soon, so
that a person learns that the cluster is down; a client that was served before rides out an
outage, such as a restart of the namenode in the middle of a put.
"""

import itertools
import random
import time
import uuid
from typing import Any, Tuple

from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import Busy, DfsError, NotLeader, SafeMode, Unavailable
from zookeeper.fabric.remote import LeaderPool
from zookeeper.fabric.settings import Settings

log = logs.get("client")

_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.05, 1.0


class NameNodeClient:
    """Calls to the namenode that leads; thread-safe."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.client_id = uuid.uuid4().hex
        self._settings = settings.client
        self._calls = itertools.count(1)
        self._served = False
        self._pool = LeaderPool(
            "name_node", settings.name_node.hosts, credentials, settings.network
        )

    def operation(self) -> Tuple[str, int]:
        """A fresh operation id: give it to one mutation, and to every repetition of it."""
        return self.client_id, next(self._calls)

    def call(self, method: str, *args: Any) -> Any:
        """Call, and repeat while the namenode is out of reach; raises what it answered."""
        return self._repeat(method, args, (Unavailable, NotLeader, Busy))

    def mutate(self, method: str, *args: Any) -> Any:
        """Call a mutation under one operation id, which it gets as its first argument."""
        return self.call(method, self.operation(), *args)

    def persist(self, method: str, *args: Any) -> Any:
        """Call for a write in progress, which also waits for a restarting namenode's safe mode."""
        return self._repeat(method, args, (Unavailable, NotLeader, Busy, SafeMode))

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _repeat(self, method: str, args: tuple, repeatable: Tuple[type, ...]) -> Any:
        settings = self._settings
        patience = settings.retry_seconds if self._served else settings.connect_seconds
        deadline = time.monotonic() + patience
        pause = _PAUSE_SECONDS_MIN
        while True:
            try:
                result = self._pool.call(method, *args)
                self._served = True
                return result
            except repeatable as error:  # type: ignore[misc]
                if time.monotonic() + pause > deadline:
                    raise
                self._note(method, error)
            # Clients that lost the same namenode must not come back in step.
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    @staticmethod
    def _note(method: str, error: DfsError) -> None:
        log.debug("call.repeated", method=method, error=error.message)
