"""A gateway of mode `secret` without sockets, before a cluster that judges keys and tokens."""

import base64
import copy
from typing import Any, Dict, List

from data_service.filesystem.acting import Acting, ByKey, ByRole, ByToken
from data_service.web.clients import Clients
from data_service.web.proven_visitors import ProvenVisitors
from data_service.web.visitors import Visitors
from tests.support.models.memory_file_system import MemoryFileSystem
from tests.support.models.web_asker import Asker, Reply
from zookeeper.fabric.errors import AuthenticationFailed, PermissionDenied, Unavailable


class ProvingAsker(Asker):
    """Its users and their passwords are `passwords`, its tokens and their owners `tokens`; of whom
    a key or token was taken away since hears so at his next call. `hue` may act for everybody but
    root. `tried` is what was shown of whom the namenode was asked about, `renewed` which tokens
    were; `moment` is now; `down` tells that the namenode does not answer, until who waits for it
    has done so when it `recovers`."""

    def __init__(self) -> None:
        self.moment = 1000.0
        super().__init__()
        self.passwords = {"root": "pr", "alice": "pa", "bob": "pb", "hue": "ph"}
        self.tokens: Dict[str, str] = {}
        self.tried: List[str] = []
        self.renewed: List[str] = []
        self.clients: List[_Client] = []
        self.down = self.recovers = False

    def _visitors(self) -> Visitors:
        return ProvenVisitors(Clients(), self._connect, lambda: self.moment)

    def _connect(self, user: str, acting: Acting, other: str) -> Any:
        self.clients.append(_Client(self, acting, other))
        return self.clients[-1]

    def judge(self, acting: Acting) -> str:
        """Whose key or token it is; the gateway's own without one."""
        if self.down:
            raise Unavailable("cannot reach the name_node")
        if acting is None or isinstance(acting, ByRole):
            return "gateway"
        self.tried.append(acting[1] if isinstance(acting, ByKey) else acting.token)
        if isinstance(acting, ByKey) and self.passwords.get(acting.user) == acting.password:
            return acting.user
        if isinstance(acting, ByToken) and acting.token in self.tokens:
            return self.tokens[acting.token]
        raise AuthenticationFailed("not a valid key of this cluster")

    def basic(self, user: str, password: str) -> str:
        """What a program puts into Authorization."""
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def status(self, user: str = "", query: str = "", **headers: str) -> Reply:
        """The status of /d, asked for by a user with his password."""
        if user:
            headers["Authorization"] = self.basic(user, self.passwords[user])
        return self.raw("GET", f"/webhdfs/v1/d?op=GETFILESTATUS{query}", **headers)


class _Client(MemoryFileSystem):
    """A client that was made so, whose every call is judged."""

    def __init__(self, cluster: ProvingAsker, acting: Acting, other: str) -> None:
        self.__dict__.update(cluster.fs.__dict__)
        self.closed, self._waits = False, True
        self._cluster, self._acting, self._other = cluster, acting, other
        if isinstance(acting, ByKey):
            self.user = other or acting.user
        elif isinstance(acting, ByToken):
            self.user = cluster.tokens.get(acting.token, "")
        if self.user != "root":
            self._who = self.as_user(self.user)._who

    def briefly(self) -> "_Client":
        """One that does not wait."""
        other = copy.copy(self)
        other._waits = False
        return other

    def _called(self, method: str) -> None:
        if self._waits and method != "knock" and self._cluster.recovers:
            self._cluster.down = False
        real = self._cluster.judge(self._acting)
        if self._other and (real != "hue" or self._other == "root"):
            raise PermissionDenied(f"User: {real} is not allowed to impersonate {self._other}")
        super()._called(method)

    def datanode_rooms(self) -> Any:
        """With their names for the superuser only."""
        self._called("datanode_rooms")
        return [node._replace(host="h" if self.user == "root" else "") for node in self.nodes]

    def delegation_token(self, renewer: str = "") -> str:
        """One more."""
        assert isinstance(self._acting, ByKey)
        self._called("delegation_token")
        token = f"token{len(self._cluster.tokens)}-{self.user}-{renewer}"
        self._cluster.tokens[token] = self.user
        return token

    def renew_delegation_token(self, token: str) -> int:
        """By its renewer only."""
        self._require_known(token)
        if not token.endswith(f"-{self._cluster.judge(self._acting)}"):
            raise PermissionDenied("is not its renewer")
        self._cluster.renewed.append(token)
        return 1

    def cancel_delegation_token(self, token: str) -> None:
        """For good."""
        self._cluster.judge(self._acting)
        self._require_known(token)
        del self._cluster.tokens[token]

    def _require_known(self, token: str) -> None:
        if token not in self._cluster.tokens:
            raise AuthenticationFailed("this delegation token was cancelled")
