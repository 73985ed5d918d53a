"""A namenode's core with keys and proxies, and connections to it that act for others."""

from types import SimpleNamespace
from typing import Any, Iterable, List, Tuple

import pytest

from data_service.namenode.calls import delegations
from data_service.namenode.calls.delegations import Seals
from data_service.namenode.calls.service import NameNodeService
from data_service.namenode.calls.tokens import Tokens
from tests.support.links.key_holder import KeyHolder
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core, Term
from zookeeper.fabric.identity import NAME_NODE, Principal
from zookeeper.fabric.key_file import ClusterKey
from zookeeper.fabric.rpc import Peer
from zookeeper.fabric.settings import SecuritySettings

OLD, NEW = ClusterKey(b"1" * 32), ClusterKey(b"2" * 32)
NOW = 1_764_265_200
PROVED_AT = NOW - 1000
DAY = 86_400
CLIENT = "0123456789abcdef"
PROXIES = (("hue", "*"), ("etl", "alice"), ("gateway:hue", "bob"))


class World:
    """A namenode's core, its keys, and connections to it; time stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.core = Core()
        self.core.mkdir("/user/alice")
        self.core.mkdir("/user/bob")
        for user in ("alice", "bob"):
            self.core.do(
                self.core.state.set_owner(ROOT, self.core.op(), f"/user/{user}", user, "")
            )
            self.core.do(
                self.core.state.set_mode(ROOT, self.core.op(), f"/user/{user}", 0o700)
            )
        self.holder = KeyHolder(Principal(NAME_NODE), OLD)
        self.cluster_key = OLD.key
        self.secret = True
        self.now = float(NOW)
        self.groups: List[Tuple[str, str]] = [("admin", "supergroup")]
        self.told: List[str] = []
        monkeypatch.setattr(delegations, "wall_ms", lambda: int(self.now * 1000))

    def connect(self, principal: str, issued: int = PROVED_AT) -> Any:
        """Somebody's connection."""
        term: Any = Term(self.core)
        seals = Seals(
            lambda: self.cluster_key if self.secret else b"",
            lambda: self.holder.keyring() if self.secret else None,
            SecuritySettings(proxy_users=PROXIES),
        )
        audit: Any = SimpleNamespace(note=self._note)
        service = NameNodeService(
            lambda: term, self._groups_of, "root", (2, BLOCK_SIZE), "", audit,
            Tokens(lambda: self.cluster_key, 600.0), seals=seals,
        )  # fmt: skip
        service.peer = Peer(Principal.parse(principal), "10.0.0.7", self.secret, issued)
        return service

    def token(self, owner: str = "user:alice", renewer: str = "etl") -> str:
        """One that somebody got by his own key."""
        text: str = self.connect(owner).exposed_get_delegation_token(self.op(), renewer)
        return text

    def revoke(self, principal: str, before: float = float("inf")) -> None:
        """The principal's keys are void that were issued before this second."""
        self.holder.revoked[principal] = before
        self.holder.renew()

    def shown(self, text: str, by: str = "gateway:web") -> Any:
        """A connection on which it was shown."""
        service = self.connect(by)
        service.exposed_show_token(text)
        return service

    def op(self) -> Tuple[str, int]:
        """A new call of one client."""
        _, number = self.core.op()
        return CLIENT, number

    def _groups_of(self, user: str) -> Iterable[str]:
        return [group for name, group in self.groups if name == user]

    def _note(self, call: Any, args: Any, user: str, host: str, allowed: bool) -> None:
        self.told.append(f"{allowed} {user} {call.name}")
