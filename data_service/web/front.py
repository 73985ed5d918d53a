"""The front of the gateway: which door a request goes to, and that no defect behind one is more
than the failure of one request."""

from contextlib import ExitStack, contextmanager
from typing import Collection, Iterator, Mapping

from data_service.web.doors import Door
from data_service.web.exchange.answers import OPTIONS, Answer, answer_error
from data_service.web.exchange.body import Body
from data_service.web.exchange.http_head import Head, host_of
from data_service.web.exchange.parameters import Parameters
from data_service.web.exchange.remote_exceptions import (
    ACCESS_CONTROL,
    NO_RESOURCE,
    RUNTIME,
    RemoteException,
    refused,
    translated,
)
from data_service.web.exchange.request import Request
from data_service.web.exchange.targets import parse_target
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("gateway")

_READERS = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_READERS, "PUT", "POST", "DELETE")


class Front:
    """Answers requests by the `doors`, each under the first name of the paths that are its own.

    `hosts` are the names by which the gateway may be called besides numeric ones.
    """

    def __init__(self, doors: Mapping[str, Door], hosts: Collection[str]) -> None:
        self._doors = dict(doors)
        self._hosts = frozenset(host.lower() for host in hosts) | {"localhost"}

    @contextmanager
    def answering(self, head: Head, body: Body) -> Iterator[Answer]:
        """The answer to a request, which is good, with its pieces, until the block ends."""
        with ExitStack() as held:
            yield self._answer(head, body, held)

    def _answer(self, head: Head, body: Body, held: ExitStack) -> Answer:
        path = ""
        try:
            self._check(head)
            path, query = parse_target(head.target)
            if head.method == "OPTIONS":
                return OPTIONS
            origin = f"{head.scheme}://{head.authority or 'localhost'}"
            request = Request(head, path, query, Parameters(query), body, origin)
            answer = self._door(path).answer(request, held)
            if answer.pieces is not None:
                held.callback(answer.pieces.close)
            return answer
        except DfsError as error:
            return answer_error(translated(error, "", path))
        except Exception:  # A defect of ours must cost one request, and be seen.
            log.error("request.failed", exc_info=True, method=head.method, path=path)
            return answer_error(RemoteException(RUNTIME, "the gateway failed; its log tells more"))

    def _door(self, path: str) -> Door:
        found = self._doors.get(path[1:].partition("/")[0])
        if found is None:
            raise RemoteException(NO_RESOURCE, f"nothing is at {path:.200}")
        return found

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
