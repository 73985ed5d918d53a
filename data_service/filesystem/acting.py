"""As whom a client of the cluster acts, when that is not simply who runs the program."""

from typing import NamedTuple, Optional

from data_service.filesystem.users import current_user, named_user
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.handshake import credentials_by_password, credentials_of
from zookeeper.fabric.identity import USER, Principal
from zookeeper.fabric.settings import Settings


class ByKey(NamedTuple):
    """As a user by his web password, which `issueKey --web` prints: the namenode judges it."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"<ByKey {self.user!a}>"


def credentials_for(settings: Settings, user: str, acting: Optional[ByKey]) -> Credentials:
    """With which one connects: by a key of his own, or else as `user`, if it is not empty, or as
    whoever runs the program. Raises SettingsError, AuthenticationFailed, InvalidArgument."""
    if acting is not None:
        if user:
            raise InvalidArgument("found both a user and a key of one, expected one of them")
        return credentials_by_password(settings, acting.user, acting.password)
    named = user or named_user()
    return credentials_of(settings, Principal(USER, named or current_user()), assumed=not named)
