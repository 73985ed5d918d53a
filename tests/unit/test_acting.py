"""Whose a connection's calls are: its own end's, a token's owner's, or those of a proxy's user."""

from types import SimpleNamespace
from typing import Any, Iterable, List, Tuple

import pytest

from data_service.namenode.calls import connection, delegations
from data_service.namenode.calls.delegations import Seals
from data_service.namenode.calls.service import NameNodeService
from data_service.namenode.calls.tokens import Tokens
from data_service.namenode.proxies import Proxies
from data_service.protocol.block_tokens import unseal
from data_service.protocol.delegation_tokens import read, seal
from data_service.protocol.files import FileStatus, LocatedBlock
from data_service.protocol.nodes import Target
from tests.support.links.key_holder import KeyHolder
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core
from tests.unit.test_connection import Term
from zookeeper.fabric import keys
from zookeeper.fabric.errors import AuthenticationFailed, InvalidArgument, PermissionDenied
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


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_who_shows_a_token_has_its_owners_rights_and_none_of_his_own(world: World) -> None:
    for by in ("gateway:web", "user:bob", "user:root", "user:alice", "user:admin"):
        service = world.shown(world.token(), by)
        assert service.exposed_stat("/user/alice")
        service.exposed_mkdir(world.op(), f"/user/alice/{by}", False, 0o755)
        assert FileStatus(*service.exposed_stat(f"/user/alice/{by}")).owner == "alice"
        with pytest.raises(PermissionDenied, match="user=alice"):
            service.exposed_list("/user/bob", "", 10)
        with pytest.raises(PermissionDenied):
            service.exposed_metasave("name")
        assert service.exposed_groups("") == ()
        assert f"True alice (auth:TOKEN) via {by.replace('user:', '')} mkdir" in world.told


def test_a_token_says_what_was_asked_for(world: World) -> None:
    told = read(world.token())
    assert told[1:] == (
        "alice", "etl", "", NOW * 1000, (NOW + 7 * DAY) * 1000, PROVED_AT,
        keys.key_id(OLD.key).hex(),
    )  # fmt: skip


def test_for_whom_is_said_once_and_before_everything_else(world: World) -> None:
    hers, his = world.token(), world.token("user:bob")
    service = world.shown(hers)
    for deed in (
        lambda: service.exposed_show_token(hers), lambda: service.exposed_show_token(his),
    ):  # fmt: skip
        with pytest.raises(PermissionDenied, match="is said once"):
            deed()
    assert service.exposed_stat("/user/alice")
    service = world.shown(hers, "user:hue")
    with pytest.raises(PermissionDenied, match="is said once"):
        service.exposed_act_as("bob")
    service = world.connect("user:hue")
    service.exposed_act_as("bob")
    with pytest.raises(PermissionDenied, match="is said once"):
        service.exposed_show_token(hers)
    with pytest.raises(PermissionDenied, match="is said once"):
        service.exposed_act_as("alice")
    assert service.exposed_stat("/user/bob")
    for first in (("stat", "/"), ("renew_lease", CLIENT), ("mkdir", (CLIENT, 1), "/user", True, 0)):
        service = world.connect("user:hue")
        getattr(service, f"exposed_{first[0]}")(*first[1:])
        for deed in (
            lambda: service.exposed_show_token(hers), lambda: service.exposed_act_as("bob"),
        ):  # fmt: skip
            with pytest.raises(PermissionDenied, match="is said once"):
                deed()


def test_a_refused_word_leaves_the_connection_its_own(world: World) -> None:
    service = world.connect("user:bob")
    for deed in (
        lambda: service.exposed_show_token(world.token()[:-2]),
        lambda: service.exposed_show_token("x" * 10**6),
        lambda: service.exposed_act_as("alice"),
    ):
        with pytest.raises((AuthenticationFailed, PermissionDenied, InvalidArgument)):
            deed()
    assert service.exposed_stat("/user/bob")
    with pytest.raises(PermissionDenied, match="user=bob"):
        service.exposed_list("/user/alice", "", 10)


def test_it_is_looked_at_again_with_each_call(world: World) -> None:
    token = world.token()
    service, other = world.shown(token), world.shown(token)
    world.now += DAY - 1
    assert service.exposed_stat("/")
    world.connect("user:etl").exposed_renew_delegation_token(world.op(), token)
    world.now += DAY - 1
    assert service.exposed_stat("/")
    world.now += 1
    with pytest.raises(AuthenticationFailed, match="of alice is over since 0 seconds"):
        service.exposed_stat("/")
    with pytest.raises(AuthenticationFailed):
        other.exposed_cluster_status()
    with pytest.raises(AuthenticationFailed):
        world.shown(token)


@pytest.mark.parametrize("by", ["user:alice", "user:etl", "token"])
def test_a_cancelled_one_stops_at_once_whoever_showed_it(world: World, by: str) -> None:
    token = world.token()
    service = world.shown(token)
    (world.shown(token) if by == "token" else world.connect(by)).exposed_cancel_delegation_token(
        world.op(), token
    )
    for call in (
        lambda: service.exposed_stat("/"), lambda: service.exposed_ticket("h", 1),
        lambda: service.exposed_renew_lease(CLIENT), lambda: world.shown(token),
    ):  # fmt: skip
        with pytest.raises(AuthenticationFailed, match="was cancelled"):
            call()


def test_who_shows_one_gets_and_prolongs_none(world: World) -> None:
    token = world.token(renewer="alice")
    service = world.shown(token)
    with pytest.raises(PermissionDenied, match="cannot be got by one who shows"):
        service.exposed_get_delegation_token(world.op(), "alice")
    with pytest.raises(PermissionDenied, match="cannot be renewed by one who shows"):
        service.exposed_renew_delegation_token(world.op(), token)
    with pytest.raises(PermissionDenied, match="bob may not cancel"):
        world.shown(world.token("user:bob")).exposed_cancel_delegation_token(world.op(), token)


def test_only_users_have_tokens(world: World) -> None:
    for principal in ("gateway:web", "anonymous"):
        with pytest.raises(PermissionDenied, match="is no user"):
            world.connect(principal).exposed_get_delegation_token(world.op(), "")
    for renewer in ("a\nb", "\u202e", "x" * 300, "é" * 101, "name_node", "user"):
        with pytest.raises(InvalidArgument):
            world.token(renewer=renewer)


def test_in_mode_simple_there_are_none(world: World) -> None:
    token = world.token()
    world.secret = False
    assert world.token() == ""
    service = world.connect("user:alice")
    for call, args in (
        ("show_token", (token,)), ("renew_delegation_token", (world.op(), token)),
        ("cancel_delegation_token", (world.op(), token)),
    ):  # fmt: skip
        with pytest.raises(PermissionDenied, match="in mode simple there are no delegation tokens"):
            getattr(service, f"exposed_{call}")(*args)


def revoke(world: World, principal: str, before: float = float("inf")) -> None:
    """The principal's keys are void that were issued before this second."""
    world.holder.revoked[principal] = before
    world.holder.renew()


@pytest.mark.parametrize(
    "before, good", [(float("inf"), False), (PROVED_AT + 1, False), (PROVED_AT, True)]
)
def test_who_is_revoked_has_no_tokens(world: World, before: float, good: bool) -> None:
    """Also not those that were got by a key that is void, after the moment that is told."""
    token = world.token()
    service = world.shown(token)
    revoke(world, "user:bob")
    assert service.exposed_stat("/")
    revoke(world, "user:alice", before)
    for deed in (
        lambda: service.exposed_stat("/"), lambda: world.shown(token),
        lambda: world.connect("user:etl").exposed_renew_delegation_token(world.op(), token),
    ):  # fmt: skip
        if good:
            deed()
        else:
            with pytest.raises(AuthenticationFailed, match="of alice was revoked"):
                deed()


def test_a_token_is_good_as_long_as_its_cluster_key(world: World) -> None:
    old = world.token()
    service = world.shown(old)
    world.holder.replace(OLD, NEW)
    assert service.exposed_stat("/") and world.shown(old).exposed_stat("/")
    world.holder.replace(NEW)
    world.cluster_key = NEW.key
    with pytest.raises(AuthenticationFailed, match="key of this delegation token is not valid"):
        service.exposed_stat("/")
    with pytest.raises(AuthenticationFailed, match="under a key that is not valid here"):
        world.shown(old)
    assert world.shown(world.token()).exposed_stat("/")


def test_a_token_that_nobody_recorded_opens_nothing(world: World) -> None:
    """Such as one of before the record was restored from a backup, whoever holds its key."""
    told = read(world.token())
    server_key = keys.server_key(OLD.key, NAME_NODE)
    for other in (told._replace(number=told.number + 1), told._replace(owner="root")):
        with pytest.raises(AuthenticationFailed, match="was cancelled"):
            world.shown(seal(other, server_key))


def test_block_tokens_are_for_who_dials_and_rights_are_the_owners(world: World) -> None:
    service = world.shown(world.token())
    opened = service.exposed_create((CLIENT, 1), "/user/alice/f", False, 0, 0, 0o600)
    located = LocatedBlock(*service.exposed_add_block(CLIENT, opened[0], 0, ()))
    target = Target(*located.targets[0])
    place = f"{target.host}:{target.port}"
    server_key = keys.server_key(OLD.key, f"data_node:{place}")
    grant = unseal(located.token, place, lambda _: server_key)
    assert grant.bearer == "gateway:web"
    key, key_id, issued = service.exposed_ticket("h", 1)
    expected = keys.caller_key(keys.server_key(OLD.key, "data_node:h:1"), "gateway:web", issued)
    assert key == expected and key_id == keys.key_id(OLD.key)


def test_two_owners_of_one_client_id_do_not_meet(world: World) -> None:
    """The gateway has one client of each user; who steals its id gets no other's answers."""
    hers = world.shown(world.token())
    opened = hers.exposed_create((CLIENT, 1), "/user/alice/f", False, 0, 0, 0o600)
    his = world.shown(world.token("user:bob"))
    with pytest.raises(PermissionDenied):
        his.exposed_create((CLIENT, 1), "/user/alice/f", False, 0, 0, 0o600)
    with pytest.raises(Exception, match="(?i)lease|owned|not"):
        his.exposed_add_block(CLIENT, opened[0], 0, ())
    his.exposed_mkdir((CLIENT, 1), "/user/bob/d", False, 0o755)
    assert hers.exposed_create((CLIENT, 1), "/user/alice/f", False, 0, 0, 0o600) == opened
    for service in (his, world.connect("gateway:web")):
        with pytest.raises((PermissionDenied, AuthenticationFailed)):
            service.exposed_cancel_delegation_token((CLIENT, 50), world.token())


# Proxies.


@pytest.mark.parametrize("secret", [True, False])
def test_a_proxy_acts_for_whom_the_settings_name(world: World, secret: bool) -> None:
    world.secret = secret
    for proxy, user in (
        ("user:hue", "bob"), ("user:hue", "alice"), ("user:etl", "alice"), ("gateway:hue", "bob"),
    ):  # fmt: skip
        service = world.connect(proxy)
        service.exposed_act_as(user)
        assert service.exposed_list(f"/user/{user}", "", 10)
        assert world.told[-1] == f"True {user} (auth:PROXY) via {proxy.replace('user:', '')} list"
        with pytest.raises(PermissionDenied, match=f"user={user}"):
            other = {"bob": "alice", "alice": "bob"}[user]
            service.exposed_list(f"/user/{other}", "", 10)


@pytest.mark.parametrize("proxy, user", [
    ("user:etl", "bob"), ("user:alice", "bob"), ("user:root", "alice"), ("user:gateway:hue", "bob"),
    ("gateway:hue", "alice"), ("gateway", "bob"), ("anonymous", "alice"), ("user:hu", "alice"),
    ("user:*", "alice"), ("user:etl", "*"), ("user:etl", "alice\n"),
])  # fmt: skip
def test_nobody_else_acts_for_anybody(world: World, proxy: str, user: str) -> None:
    with pytest.raises(PermissionDenied, match="is not allowed to impersonate"):
        world.connect(proxy).exposed_act_as(user)


def test_nobody_acts_for_a_superuser(world: World) -> None:
    for user in ("root", "admin"):
        with pytest.raises(PermissionDenied, match="nobody acts for a superuser"):
            world.connect("user:hue").exposed_act_as(user)


def test_who_becomes_a_superuser_is_not_acted_for_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "GROUPS_SECONDS", 0.0)
    service = world.connect("user:hue")
    service.exposed_act_as("bob")
    token = service.exposed_get_delegation_token(world.op(), "")
    shown = world.shown(token)
    assert service.exposed_stat("/") and shown.exposed_stat("/")
    world.groups.append(("bob", "supergroup"))
    for one in (service, shown):
        with pytest.raises(PermissionDenied, match="nobody acts for a superuser"):
            one.exposed_stat("/")


@pytest.mark.parametrize(
    "user", ["", "a\nb", "a\u202eb", "x" * 256, "é" * 101, "name_node", "user"], ids=ascii
)
def test_what_is_no_users_name_is_acted_for_by_nobody(world: World, user: str) -> None:
    with pytest.raises(InvalidArgument, match="not a name"):
        world.connect("user:hue").exposed_act_as(user)


def test_a_token_that_a_proxy_got_rests_on_both(world: World) -> None:
    service = world.connect("user:hue")
    service.exposed_act_as("bob")
    token = service.exposed_get_delegation_token(world.op(), "hue")
    assert read(token)[1:4] == ("bob", "hue", "user:hue")
    shown = world.shown(token)
    assert shown.exposed_list("/user/bob", "", 10)
    assert world.told[-1] == "True bob (auth:TOKEN) via hue via gateway:web list"
    revoke(world, "user:bob", NOW + 1)
    with pytest.raises(AuthenticationFailed, match="of bob was revoked"):
        shown.exposed_stat("/")
    revoke(world, "user:bob", NOW)
    assert shown.exposed_stat("/")
    revoke(world, "user:hue", PROVED_AT + 1)
    with pytest.raises(AuthenticationFailed, match="of bob was revoked"):
        shown.exposed_stat("/")


def test_a_proxy_is_who_he_was_named_as() -> None:
    proxies = Proxies(PROXIES)
    assert proxies.allows(Principal("user", "hue"), "x")
    assert not proxies.allows(Principal("data_node", "hue"), "x")
    assert not proxies.allows(Principal("user", "etl"), "*")
    assert proxies.allows(Principal("gateway", "hue"), "bob")
    assert not Proxies(()).allows(Principal("user", "hue"), "x")
