"""What a door of the gateway is: it answers the requests to the paths below it."""

from contextlib import ExitStack
from typing import Protocol

from data_service.web.exchange.answers import Answer
from data_service.web.exchange.request import Request


class Door(Protocol):
    """Answers requests. Thread-safe."""

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """The answer to one request, which is good until `held` is closed: what it holds meanwhile
        (a client, an open file) the door enters there. Raises DfsError: what is no RemoteException
        yet is told as one that is about the request's path."""
