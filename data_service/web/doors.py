"""What a door of the gateway is: it answers the requests to the paths below it."""

from contextlib import ExitStack
from typing import Mapping, Protocol, Tuple, TypeVar

from data_service.web.exchange.answers import Answer
from data_service.web.exchange.remote_exceptions import nothing_at, refused
from data_service.web.exchange.request import Request

Deed = TypeVar("Deed")


class Door(Protocol):
    """Answers requests. Thread-safe."""

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """The answer to one request, which is good until `held` is closed: what it holds meanwhile
        (a client, an open file) the door enters there. Raises DfsError: what is no RemoteException
        yet is told as one that is about the request's path."""


def deed_of(deeds: Mapping[str, Tuple[str, Deed]], name: str, request: Request) -> Deed:
    """What is done for a request at this name: `deeds` tell that, and by which method of HTTP.

    Raises RemoteException when the name or the method is another one.
    """
    if name not in deeds:
        raise nothing_at(request.path)
    method, deed = deeds[name]
    require_method(request, method)
    return deed


def require_method(request: Request, method: str) -> None:
    """Raise RemoteException for a request that came by another method of HTTP."""
    if request.method != method:
        raise refused(f"{request.path:.200} is asked for with {method}", 405)
