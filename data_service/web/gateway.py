"""What a request means, who asks, and the answer: WebHDFS without a word on how it is sent."""

from contextlib import ExitStack, contextmanager
from typing import Collection, Iterator

from data_service.web import addresses, operations
from data_service.web.answers import OPTIONS, Answer, answer_error, answer_json
from data_service.web.body import Body
from data_service.web.calls import Call
from data_service.web.clients import Clients
from data_service.web.http_head import Head, host_of
from data_service.web.parameters import Parameters
from data_service.web.remote_exceptions import (
    ACCESS_CONTROL,
    INVALID_TOKEN,
    NO_RESOURCE,
    RUNTIME,
    RemoteException,
    refused,
    translated,
)
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("gateway")

_READERS = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_READERS, "PUT", "POST", "DELETE")


class Gateway:
    """Answers requests with the `clients` of a cluster.

    `hosts` are the names by which it may be called besides numeric ones; `usual_user` is who asks
    without a name.
    """

    def __init__(self, clients: Clients, hosts: Collection[str], usual_user: str) -> None:
        self._clients = clients
        self._hosts = frozenset(host.lower() for host in hosts) | {"localhost"}
        self._usual_user = usual_user

    @contextmanager
    def answering(self, head: Head, body: Body) -> Iterator[Answer]:
        """The answer to a request, which is good, with its pieces, until the block ends."""
        with ExitStack() as held:
            yield self._answer(head, body, held)

    def _answer(self, head: Head, body: Body, held: ExitStack) -> Answer:
        op, path = "", ""
        try:
            self._check(head)
            place = addresses.parse(head.target)
            if head.method == "OPTIONS":
                return OPTIONS
            path, parameters = _path_of(place.path), Parameters(place.query)
            op = parameters.op
            fs = held.enter_context(self._clients.of(self._user(parameters)))
            answer = _perform(head, Call(path, parameters, fs, body, _origin(head)), place.query)
            if answer.pieces is not None:
                held.callback(answer.pieces.close)
            return answer
        except DfsError as error:
            return answer_error(translated(error, op, path))
        except Exception:  # A defect of ours must cost one request, and be seen.
            log.error("request.failed", exc_info=True, op=op, path=path)
            return answer_error(RemoteException(RUNTIME, "the gateway failed; its log tells more"))

    def _check(self, head: Head) -> None:
        """Raise RemoteException for a request that a stranger made a browser send.

        A page of another site can have a browser send a POST here, in the name of whoever sits in
        front of it: then the browser tells where the page is from. Or it lets its own name lead to
        this machine, to be taken for one site with us: then that name is none of ours.
        """
        if head.method not in _METHODS:
            raise refused(f"the method {head.method} has no meaning here", 405)
        for host in filter(None, (head.headers.get("host"), head.authority)):
            if not self._is_ours(host_of(host)):
                raise RemoteException(
                    ACCESS_CONTROL,
                    f"this gateway is not known as {host_of(host)}: name it in [web] web_names",
                )
        origin = head.headers.get("origin")
        foreign = origin is not None and origin.rpartition("://")[2] != head.authority
        if head.method not in _READERS and foreign:
            raise RemoteException(
                ACCESS_CONTROL, f"a page of {origin} may not change anything here"
            )

    def _is_ours(self, host: str) -> bool:
        numeric = host[:1] == "[" or host.replace(".", "").isdigit()
        return numeric or host in self._hosts

    def _user(self, parameters: Parameters) -> str:
        user = parameters.user("user.name", self._usual_user)
        other = parameters.user("doas")
        if parameters.text("delegation"):
            raise RemoteException(INVALID_TOKEN, "this gateway gives out no tokens")
        if other and other != user:
            raise RemoteException(
                ACCESS_CONTROL, f"User: {user} is not allowed to impersonate {other}"
            )
        return user


def _origin(head: Head) -> str:
    return f"{head.scheme}://{head.authority or 'localhost'}"


def _path_of(path: str) -> str:
    found = addresses.file_path(path)
    if found is None:
        # Not as of a file: who hears that one does not exist may make it, or forget it.
        raise RemoteException(NO_RESOURCE, f"nothing is at {path:.200}, but at {addresses.PREFIX}")
    return found


def _perform(head: Head, call: Call, query: bytes) -> Answer:
    parameters = call.parameters
    method = "GET" if head.method == "HEAD" else head.method
    operation = operations.find(method, parameters.op)
    if operation.first is None or parameters.boolean("data"):
        return operation.perform(call)
    operation.first(call)
    there = addresses.location(call.origin, call.path, query)
    if parameters.boolean("noredirect"):
        return answer_json({"Location": there})
    return Answer(307, content_type="application/octet-stream", location=there)
