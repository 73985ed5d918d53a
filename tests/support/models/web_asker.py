"""Somebody who asks a gateway for files, without a socket between them."""

import json
from typing import Any, Dict, List, NamedTuple

from data_service.filesystem.acting import Acting
from data_service.web.border import Border
from data_service.web.clients import Clients
from data_service.web.doors import Door
from data_service.web.exchange.answers import Answer
from data_service.web.exchange.body import Body, Inbox
from data_service.web.exchange.http_head import HEAD_END, parse
from data_service.web.files.files_door import FilesDoor
from data_service.web.front import Front
from data_service.web.identity_door import IdentityDoor
from data_service.web.visitors import NamedVisitors, Visitors
from data_service.web.webhdfs.webhdfs_door import WebHdfsDoor
from tests.support.models.memory_file_system import MemoryFileSystem
from zookeeper.fabric.errors import PermissionDenied

HERE = "http://web:9870/webhdfs/v1"


class Reply(NamedTuple):
    """What came back; `body` is what stands in it as JSON, else bytes."""

    status: int
    body: Any
    location: str
    content_type: str
    headers: Dict[str, str] = {}

    @property
    def error(self) -> str:
        """Name of the exception and message."""
        told = self.body["RemoteException"]
        assert set(told) == {"exception", "javaClassName", "message"}
        assert told["javaClassName"].endswith("." + told["exception"])
        return f"{told['exception']}: {told['message']}"


def inbox_of(*pieces: bytes) -> Inbox:
    """What gives these bytes, a piece at a time."""
    left = list(pieces)

    def receive(view: memoryview) -> int:
        if not left:
            return 0
        piece = left.pop(0)
        count = min(len(piece), len(view))
        view[:count] = piece[:count]
        if piece[count:]:
            left.insert(0, piece[count:])
        return count

    return Inbox(receive)


def asked(front: Front, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
    """The answer to a request with these headers, a `_` for each dash in their names, all of whose
    pieces are in its body."""
    lines = [f"{method} {target} HTTP/1.1"]
    given = {"Host": "web:9870", "Content_Length": str(len(body)), **headers}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value]
    head = parse("\r\n".join(lines).encode() + HEAD_END)
    there = Body(inbox_of(*[body] if body else []), head.length)
    with front.answering(head, there) as answer:
        if answer.pieces is None:
            return answer
        data = b"".join(map(bytes, answer.pieces))
        assert answer.length in (None, len(data))
        return answer._replace(body=data, pieces=None)


class Asker:
    """Sends requests to a gateway whose cluster is `fs`: a directory, in it a file of five bytes.

    `users` are those for whom the gateway made a client.
    """

    def __init__(self) -> None:
        self.fs = MemoryFileSystem("root")
        self.fs.write("/d/f", b"hello")
        self.users: List[str] = []
        visitors = self._visitors()
        identity = IdentityDoor(visitors)
        self.doors: Dict[str, Door] = {
            "files": FilesDoor(visitors), "webhdfs": WebHdfsDoor(visitors),
            "login": identity, "logout": identity, "who": identity,
        }  # fmt: skip
        self.front = Front(self.doors, Border(["web"], ["https://hue:8888"]))

    def _visitors(self) -> Visitors:
        return NamedVisitors(Clients(), self._connect, "dr.who")

    def _connect(self, user: str, acting: Acting, other: str) -> Any:
        if other:
            raise PermissionDenied(f"User: {user} is not allowed to impersonate {other}")
        self.users.append(user)
        return self.fs if user == "root" else self.fs.as_user(user)

    def raw(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        """The reply to a request with these headers, a `_` for each dash in their names."""
        answer = asked(self.front, method, target, body, **headers)
        data = answer.body
        found = json.loads(data) if answer.content_type == "application/json" else data
        return Reply(answer.status, found, answer.location, answer.content_type,
                     dict(answer.headers))

    def __call__(
        self, method: str, path: str, op: str, body: bytes = b"", user: str = "root"
    ) -> Reply:
        """The reply to `op`, which may have parameters behind it."""
        return self.raw(method, f"/webhdfs/v1{path}?op={op}&user.name={user}", body)
