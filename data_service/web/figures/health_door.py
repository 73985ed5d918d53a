"""The door for load balancers: whether this gateway has a cluster behind it."""

from contextlib import ExitStack

from data_service.web.doors import require_method
from data_service.web.exchange.answers import Answer
from data_service.web.exchange.request import Request
from data_service.web.figures.watcher import Watcher

TEXT = "text/plain; charset=utf-8"


class HealthDoor:
    """Answers everybody; without a name of anything, for nobody needs to prove who he is.

    As long as all was well when it was last looked at, it answers at once, whoever hangs. Else it
    looks anew, so that a cluster that has come up is not kept waiting for those who balance.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        require_method(request, "GET")
        leader = self._watcher.last_look().leader or self._watcher.look().leader
        if leader is None:
            return Answer(503, b"no namenode that leads answers this gateway\n", TEXT)
        return Answer(200, b"ok\n", TEXT)
