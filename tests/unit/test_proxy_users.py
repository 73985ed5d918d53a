"""Whose a connection's calls are when a proxy makes them: his user's, who is no superuser."""

import pytest

from data_service.namenode.calls import connection
from data_service.namenode.proxies import Proxies
from data_service.protocol.delegation_tokens import read
from tests.support.models.acting_world import CLIENT, NOW, PROVED_AT, PROXIES, World
from zookeeper.fabric.errors import AuthenticationFailed, InvalidArgument, PermissionDenied
from zookeeper.fabric.identity import Principal


@pytest.fixture(name="world")
def _world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_proxy_does_not_get_the_tokens_of_who_he_acts_for(world: World) -> None:
    """Client ids are shown, and numbers guessed: hers would outlive that he is a proxy."""
    hers = world.connect("user:alice").exposed_get_delegation_token((CLIENT, 1000), "etl")
    service = world.connect("user:hue")
    service.exposed_act_as("alice")
    with pytest.raises(PermissionDenied, match="made by somebody else"):
        service.exposed_get_delegation_token((CLIENT, 1000), "etl")
    again = world.connect("user:alice").exposed_get_delegation_token((CLIENT, 1000), "etl")
    assert again == hers


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
    "user",
    ["", "a\nb", "a\u202eb", "x" * 101, "é" * 51, "name_node", "user", "a/b", "..", "gateway:web",
     "bob (auth:TOKEN) via root"],
    ids=ascii,
)
def test_what_is_no_users_name_is_acted_for_by_nobody(world: World, user: str) -> None:
    with pytest.raises(InvalidArgument, match="expected 1 to 100 bytes"):
        world.connect("user:hue").exposed_act_as(user)


def test_a_token_that_a_proxy_got_rests_on_both(world: World) -> None:
    service = world.connect("user:hue")
    service.exposed_act_as("bob")
    token = service.exposed_get_delegation_token(world.op(), "hue")
    assert read(token)[1:4] == ("bob", "hue", "user:hue")
    shown = world.shown(token)
    assert shown.exposed_list("/user/bob", "", 10)
    assert world.told[-1] == "True bob (auth:TOKEN) via hue via gateway:web list"
    world.revoke("user:bob", NOW + 1)
    with pytest.raises(AuthenticationFailed, match="of bob was revoked"):
        shown.exposed_stat("/")
    world.revoke("user:bob", NOW)
    assert shown.exposed_stat("/")
    world.revoke("user:hue", PROVED_AT + 1)
    with pytest.raises(AuthenticationFailed, match="of bob was revoked"):
        shown.exposed_stat("/")


def test_a_proxy_is_who_he_was_named_as() -> None:
    proxies = Proxies(PROXIES)
    assert proxies.allows(Principal("user", "hue"), "x")
    assert not proxies.allows(Principal("data_node", "hue"), "x")
    assert not proxies.allows(Principal("user", "etl"), "*")
    assert proxies.allows(Principal("gateway", "hue"), "bob")
    assert not Proxies(()).allows(Principal("user", "hue"), "x")
