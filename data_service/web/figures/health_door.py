"""The door for load balancers: whether this gateway has a cluster behind it."""

from contextlib import ExitStack

from data_service.web.exchange.answers import Answer
from data_service.web.exchange.request import Request
from data_service.web.figures.cluster_door import require_get
from data_service.web.figures.watcher import Watcher

TEXT = "text/plain; charset=utf-8"


class HealthDoor:
    """Answers everybody, at once, by what was seen in the last seconds; without a name of anything,
    for nobody needs to prove who he is."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        require_get(request)
        if self._watcher.last_look().leader is None:
            return Answer(503, b"no namenode that leads answers this gateway\n", TEXT)
        return Answer(200, b"ok\n", TEXT)
