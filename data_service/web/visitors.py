"""Who a request is from, and as whose client of the cluster it is carried out."""

from contextlib import ExitStack
from typing import Callable, NamedTuple, Protocol

from data_service.filesystem.acting import Acting
from data_service.filesystem.file_system import FileSystem
from data_service.web.clients import Clients
from data_service.web.exchange.parameters import Parameters, user_name
from data_service.web.exchange.remote_exceptions import INVALID_TOKEN, RemoteException
from data_service.web.exchange.request import Request
from zookeeper.fabric.auth import SIMPLE

Connect = Callable[[str, Acting, str], FileSystem]
"""Makes a client: of a user, or by what he shows of himself, and on whose behalf if not his own."""


class Entered(NamedTuple):
    """Who logged in: his client, and the token of his session; empty where there are none."""

    fs: FileSystem
    token: str


class Visitors(Protocol):
    """Knows who asks. Thread-safe."""

    mode: str
    """That of the cluster."""

    def client(self, request: Request, held: ExitStack, patient: bool = False) -> FileSystem:
        """The client of the user who asks, until `held` is closed. Raises RemoteException: that
        nobody can say who he is while no namenode leads, unless he is so patient as to wait."""

    def enter(self, user: str, password: str, request: Request, held: ExitStack) -> Entered:
        """Begin a session of this user, until `held` is closed. Raises RemoteException."""

    def leave(self, request: Request) -> None:
        """End the session that a request belongs to, if any."""


class NamedVisitors:
    """Those of mode `simple`, known by what they say of themselves; `usual_user` is who says
    nothing. A session is no more than that the page remembers a name."""

    mode = SIMPLE

    def __init__(self, clients: Clients, connect: Connect, usual_user: str) -> None:
        self._clients = clients
        self._connect = connect
        self._usual_user = usual_user

    def client(self, request: Request, held: ExitStack, patient: bool = False) -> FileSystem:
        """See Visitors."""
        parameters = request.parameters
        if parameters.text("delegation"):
            raise RemoteException(INVALID_TOKEN, "this cluster is of mode simple, without tokens")
        user = parameters.user("user.name", self._usual_user)
        return self._of(user, on_behalf_of(parameters, user), held)

    def enter(self, user: str, password: str, request: Request, held: ExitStack) -> Entered:
        """See Visitors."""
        return Entered(self._of(user_name("user", user), "", held), "")

    def leave(self, request: Request) -> None:
        """See Visitors."""

    def _of(self, user: str, other: str, held: ExitStack) -> FileSystem:
        # It connects when it is first used, not here.
        make = lambda: self._connect(user, None, other)  # noqa: E731
        return held.enter_context(self._clients.of((user, other), make))


def on_behalf_of(parameters: Parameters, user: str) -> str:
    """For whom a proxy asks; empty for himself. The namenode judges whether he may."""
    other = parameters.user("doas")
    return "" if other == user else other
