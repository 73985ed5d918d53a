"""The door to who somebody is: /login, /logout and /who, for the page."""

import json
from contextlib import ExitStack
from typing import Any, Callable, Dict, Tuple

from data_service.filesystem.file_system import FileSystem
from data_service.web.claims import cookie
from data_service.web.doors import deed_of
from data_service.web.exchange.answers import EMPTY, Answer, answer_json
from data_service.web.exchange.body import Body
from data_service.web.exchange.remote_exceptions import refused
from data_service.web.exchange.request import Request
from data_service.web.visitors import Visitors
from zookeeper.fabric.errors import DfsError

BODY_BYTES_MAX = 16 << 10

Deed = Callable[[Request, ExitStack], Answer]


class IdentityDoor:
    """Answers requests to those three paths."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors
        self._deeds: Dict[str, Tuple[str, Deed]] = {
            "/login": ("POST", self._log_in),
            "/logout": ("POST", self._log_out),
            "/who": ("GET", self._who),
        }

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        return deed_of(self._deeds, request.path, request)(request, held)

    def _who(self, request: Request, held: ExitStack) -> Answer:
        return self._told(self._visitors.client(request, held))

    def _log_in(self, request: Request, held: ExitStack) -> Answer:
        user, password = _credentials(request.body)
        fs, token = self._visitors.enter(user, password, request, held)
        answer = self._told(fs)
        if not token:
            return answer
        begun = ("Set-Cookie", cookie(token, request.head.scheme == "https"))
        return answer._replace(headers=(begun,))

    def _log_out(self, request: Request, _held: ExitStack) -> Answer:
        self._visitors.leave(request)
        ended = ("Set-Cookie", cookie("", request.head.scheme == "https"))
        return EMPTY._replace(headers=(ended,))

    def _told(self, fs: FileSystem) -> Answer:
        return answer_json({
            "user": fs.user, "mode": self._visitors.mode, "superuser": _is_superuser(fs),
            "home": fs.home,
        })  # fmt: skip


def _is_superuser(fs: FileSystem) -> bool:
    """Whether the namenode takes the user for one; False while it cannot say."""
    try:
        # To others the namenode does not tell which datanodes there are.
        return any(node.host for node in fs.briefly().datanode_rooms())
    except DfsError as error:
        if not error.retryable:
            raise
        return False


def _credentials(body: Body) -> Tuple[str, str]:
    """User and password in a body of JSON. Raises RemoteException."""
    data = b""
    for piece in body.pieces():
        data += piece
        if len(data) > BODY_BYTES_MAX:
            raise refused(f"the body has more than {BODY_BYTES_MAX} bytes")
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise refused('the body is no JSON such as {"user": "alice", "password": "…"}')
    user, password = found.get("user"), found.get("password", "")
    if not isinstance(user, str) or not isinstance(password, str):
        raise refused("user and password are texts")
    if not user:
        raise refused("the user has no name")
    return user, password
