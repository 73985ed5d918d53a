"""A gateway that has the page, and in place of a cluster what a test lays down for each path.

    with PlayedGateway() as gateway:
        gateway.answers["/who"] = {"user": "alice", "mode": "simple"}
        browser.open(gateway.url)
"""

from contextlib import ExitStack
from types import TracebackType
from typing import Dict, List, Mapping, Optional, Type

from data_service.web.border import Border
from data_service.web.doors import Door
from data_service.web.exchange.answers import Answer, answer_json
from data_service.web.exchange.http_server import HttpServer
from data_service.web.exchange.remote_exceptions import RemoteException, nothing_at
from data_service.web.exchange.request import Request
from data_service.web.front import Front
from data_service.web.page.page_door import PageDoor
from zookeeper.fabric.settings import NetworkSettings

_PLAYED = ("who", "login", "logout", "cluster", "files", "webhdfs")


class PlayedGateway:
    """`answers` are, by path, JSON, or the error that is told; `asked` are the requests so far.

    What `doors` are for goes to these, and is not played.
    """

    def __init__(self, doors: Optional[Mapping[str, Door]] = None) -> None:
        self.answers: Dict[str, object] = {}
        self.asked: List[Request] = []
        page = PageDoor()
        played: Dict[str, Door] = dict.fromkeys(_PLAYED, self)
        front = Front({"": page, "page": page, **played, **(doors or {})}, Border([]))
        self._server = HttpServer("played", "127.0.0.1", 0, front.answering, NetworkSettings())
        self.url = ""

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        self.asked.append(request)
        found = self.answers.get(request.path)
        if found is None:
            raise nothing_at(request.path)
        if isinstance(found, RemoteException):
            raise found
        return answer_json(found)

    def __enter__(self) -> "PlayedGateway":
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.address[1]}/"
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._server.stop()
