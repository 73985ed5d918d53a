"""The door to what the page shows of the cluster: `/cluster/overview` and its neighbours."""

from contextlib import ExitStack
from typing import Any, Callable, Dict

from data_service.web.doors import require_method
from data_service.web.exchange.answers import Answer, answer_json
from data_service.web.exchange.remote_exceptions import nothing_at
from data_service.web.exchange.request import Request
from data_service.web.figures.datanode_rows import datanode_rows
from data_service.web.figures.log_lines import LogLines
from data_service.web.figures.overview import overview
from data_service.web.figures.watcher import Watcher
from data_service.web.visitors import Visitors

LOG = "/cluster/log"


class ClusterDoor:
    """Answers visitors, whoever they are; of the log only administrators hear."""

    def __init__(self, visitors: Visitors, watcher: Watcher, lines: LogLines) -> None:
        self._visitors = visitors
        self._told: Dict[str, Callable[[], Any]] = {
            "/cluster/overview": lambda: overview(watcher.look()),
            "/cluster/datanodes": lambda: datanode_rows(watcher.look()),
            "/cluster/history": watcher.history,
            LOG: lines.record,
        }

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        require_method(request, "GET")
        if request.path not in self._told:
            raise nothing_at(request.path)
        client = self._visitors.client(request, held)
        if request.path == LOG:
            client.require_superuser()
        return answer_json(self._told[request.path]())
