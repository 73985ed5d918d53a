"""Who a request is from, and as whose client of the cluster it is carried out."""

from contextlib import ExitStack

from data_service.filesystem.file_system import FileSystem
from data_service.web.clients import Clients
from data_service.web.exchange.parameters import Parameters
from data_service.web.exchange.remote_exceptions import (
    ACCESS_CONTROL,
    INVALID_TOKEN,
    RemoteException,
)
from data_service.web.exchange.request import Request


class Visitors:
    """Knows them by what they say of themselves; `usual_user` is who says nothing."""

    def __init__(self, clients: Clients, usual_user: str) -> None:
        self._clients = clients
        self._usual_user = usual_user

    def client(self, request: Request, held: ExitStack) -> FileSystem:
        """The client of the user who asks, until `held` is closed. Raises RemoteException."""
        return held.enter_context(self._clients.of(self._user(request.parameters)))

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
