"""The front of the gateway: which door a request goes to, and that no defect behind one is more
than the failure of one request."""

import time
from contextlib import ExitStack, contextmanager
from typing import Iterator, Mapping, Optional

from data_service.web.border import Border
from data_service.web.claims import challenge_of, session_of
from data_service.web.doors import Door
from data_service.web.exchange.answers import METHODS, OPTIONS, Answer, answer_error
from data_service.web.exchange.body import Body
from data_service.web.exchange.http_head import Head
from data_service.web.exchange.parameters import Parameters
from data_service.web.exchange.remote_exceptions import (
    RUNTIME,
    UNAUTHENTICATED,
    RemoteException,
    nothing_at,
    translated,
)
from data_service.web.exchange.request import Request
from data_service.web.exchange.targets import parse_target
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.meter import Meter

log = logs.get("gateway")


class Front:
    """Answers requests by the `doors`, each under the first name of the paths that are its own,
    to whom the `border` lets in. The `meter` counts them by method and door."""

    def __init__(
        self, doors: Mapping[str, Door], border: Border, meter: Optional[Meter] = None
    ) -> None:
        self._doors = dict(doors)
        self._border = border
        self._meter = meter or Meter()

    @contextmanager
    def answering(self, head: Head, body: Body) -> Iterator[Answer]:
        """The answer to a request, which is good, with its pieces, until the block ends."""
        began, failed = time.monotonic(), True
        try:
            with ExitStack() as held:
                answer = self._answer(head, body, held)
                # An error is told in the same way: a page that may ask may know what is wrong.
                besides = self._border.headers_for(head)
                if answer.status == UNAUTHENTICATED.status:
                    besides += challenge_of(head)
                yield answer._replace(headers=answer.headers + besides)
            failed = answer.status >= 400
        finally:
            self._meter.note(self._kind(head), time.monotonic() - began, failed)

    def _answer(self, head: Head, body: Body, held: ExitStack) -> Answer:
        path = ""
        try:
            self._border.check(head, session_of(head) != "")
            path, query = parse_target(head.target)
            if head.method == "OPTIONS":
                return OPTIONS
            origin = f"{head.scheme}://{head.authority or 'localhost'}"
            request = Request(head, path, query, Parameters(query), body, origin)
            # What fails behind the door is told to those, too, who hold something for it.
            with ExitStack() as needed:
                answer = self._door(head, path).answer(request, needed)
                if answer.pieces is not None:
                    needed.callback(answer.pieces.close)
                held.enter_context(needed.pop_all())
            return answer
        except DfsError as error:
            return answer_error(translated(error, "", path))
        except Exception:  # A defect of ours must cost one request, and be seen.
            log.error("request.failed", exc_info=True, method=head.method, path=path)
            return answer_error(RemoteException(RUNTIME, "the gateway failed; its log tells more"))

    def _kind(self, head: Head) -> str:
        """As what a request is counted: a stranger cannot make up new kinds."""
        first = _first_name(head)
        method = head.method if head.method in METHODS.split(", ") else "other"
        return f"{method} /{first if first in self._doors else '…'}"

    def _door(self, head: Head, path: str) -> Door:
        found = self._doors.get(_first_name(head))
        if found is None:
            raise nothing_at(path)
        return found


def _first_name(head: Head) -> str:
    """That of the path, as it came: who guards a door before us by its name knows no other way to
    write it."""
    return head.target.partition(b"?")[0][1:].partition(b"/")[0].decode("latin-1")
