"""Whose a connection's calls are when a delegation token was shown: its owner's, and no others."""

import pytest

from data_service.protocol.block_tokens import unseal
from data_service.protocol.delegation_tokens import read, seal
from data_service.protocol.files import FileStatus, LocatedBlock
from data_service.protocol.nodes import Target
from tests.support.models.acting_world import CLIENT, DAY, NEW, NOW, OLD, PROVED_AT, World
from zookeeper.fabric import keys
from zookeeper.fabric.errors import AuthenticationFailed, InvalidArgument, PermissionDenied
from zookeeper.fabric.identity import NAME_NODE


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


@pytest.mark.parametrize(
    "before, good", [(float("inf"), False), (PROVED_AT + 1, False), (PROVED_AT, True)]
)
def test_who_is_revoked_has_no_tokens(world: World, before: float, good: bool) -> None:
    """Also not those that were got by a key that is void, after the moment that is told."""
    token = world.token()
    service = world.shown(token)
    world.revoke("user:bob")
    assert service.exposed_stat("/")
    world.revoke("user:alice", before)
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
    assert (grant.bearer, grant.user) == ("gateway:web", "user:alice")
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
