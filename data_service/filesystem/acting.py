"""For whom a client of the cluster acts, when that is not simply who runs the program."""

from typing import Callable, NamedTuple, Optional, Tuple, Union

from data_service.filesystem.users import current_user, named_user
from data_service.protocol.namenode_calls import NameNodeCalls
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


class ByToken(NamedTuple):
    """For the owner of a delegation token, which is shown on each connection to a namenode; `role`
    is that of a process which is no user's, and shows it as what it is itself."""

    token: str
    role: str = USER

    def __repr__(self) -> str:
        return "<ByToken>"


class ByRole(NamedTuple):
    """As what this process is itself, which is no user's: a gateway, by its own key."""

    role: str


Acting = Union[ByKey, ByToken, ByRole, None]

Greeting = Callable[[NameNodeCalls], None]
"""What is said to a namenode on each new connection, before all else."""


def credentials_for(settings: Settings, user: str, acting: Acting) -> Credentials:
    """With which one connects: by a key of his own, or else as `user`, if it is not empty, or as
    whoever runs the program. Raises SettingsError, AuthenticationFailed, InvalidArgument."""
    if isinstance(acting, ByKey):
        if user:
            raise InvalidArgument("found both a user and a key of one, expected one of them")
        return credentials_by_password(settings, acting.user, acting.password)
    if acting is not None and acting.role != USER:
        return credentials_of(settings, Principal(acting.role), assumed=True)
    named = user or named_user()
    return credentials_of(settings, Principal(USER, named or current_user()), assumed=not named)


def acted_for(
    principal: Principal, acting: Acting, on_behalf_of: str
) -> Tuple[str, Optional[Greeting]]:
    """Whose calls they are that a principal makes, and what has to be said for that to be so.

    Raises AuthenticationFailed for what is no token, InvalidArgument for two to act for.
    """
    if isinstance(acting, ByToken):
        from data_service.protocol.delegation_tokens import read

        token, owner = acting.token, read(acting.token).owner
        if on_behalf_of:
            raise InvalidArgument(
                f"found both a token of {owner} and {on_behalf_of!a:.80} to act for, expected one"
            )
        return owner, lambda namenode: namenode.show_token(token)
    if on_behalf_of:
        return on_behalf_of, lambda namenode: namenode.act_as(on_behalf_of)
    return principal.user, None
