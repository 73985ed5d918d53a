"""The door for collectors of metrics: `/metrics` for Prometheus, `/jmx` for what knows HDFS."""

import json
from contextlib import ExitStack

from data_service.web.doors import require_method
from data_service.web.exchange.answers import Answer
from data_service.web.exchange.remote_exceptions import nothing_at
from data_service.web.exchange.request import Request
from data_service.web.figures.bean_query import answered
from data_service.web.figures.datanode_beans import datanode_beans
from data_service.web.figures.exposition import CONTENT_TYPE, exposition
from data_service.web.figures.namenode_beans import namenode_beans
from data_service.web.figures.process_beans import process_beans
from data_service.web.figures.watcher import Watcher
from data_service.web.visitors import Visitors

JMX = "application/json; charset=utf8"


class MetricsDoor:
    """Answers visitors; everybody, when it is `public`. `secured`: whether people must prove who
    they are in this cluster, which is told."""

    def __init__(
        self, visitors: Visitors, watcher: Watcher, public: bool, secured: bool = False
    ) -> None:
        self._secured = secured
        self._visitors = visitors
        self._watcher = watcher
        self._public = public

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        require_method(request, "GET")
        if request.path not in ("/metrics", "/jmx"):
            raise nothing_at(request.path)
        if not self._public:
            self._visitors.client(request, held)
        return self._jmx(request) if request.path == "/jmx" else self._metrics()

    def _metrics(self) -> Answer:
        return Answer(200, exposition(self._watcher.look()), CONTENT_TYPE)

    def _jmx(self, request: Request) -> Answer:
        look, asked = self._watcher.look(), request.parameters
        beans = [
            *namenode_beans(look, self._secured),
            *process_beans(look),
            *datanode_beans(look, self._secured),
        ]
        found = answered(beans, asked.text("qry"), asked.text("get"))
        # With line ends, as HDFS has it: people read it, too, and some search it line by line.
        body = json.dumps(found.value, indent=2, separators=(",", " : ")).encode("ascii")
        return Answer(found.status, body, JMX)
