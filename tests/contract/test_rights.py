"""Who may do what: modes, owners, groups, the sticky bit, quotas, the umask."""

from typing import Any, Callable, List

import pytest

from data_service.filesystem import PermissionDenied, QuotaExceeded
from tests.contract.worlds import BLOCK, HERE, World, at, outcome, plant, refused, tree

DEEDS: Any = {
    "read": lambda fs: fs.read_bytes(at("d/f")),
    "cat": lambda fs: fs.cat(at("d/f"), lambda piece: None),
    "checksum": lambda fs: fs.file_checksum(at("d/f")),
    "locate": lambda fs: fs.block_locations(at("d/f")),
    "append": lambda fs: fs.append(at("d/f")).close(),
    "truncate": lambda fs: fs.truncate(at("d/f"), 0),
    "overwrite": lambda fs: fs.write_bytes(at("d/f"), b"new"),
    "replication": lambda fs: fs.set_replication(at("d/f"), 2),
    "times": lambda fs: fs.set_times(at("d/f"), 5, 5),
    "stat": lambda fs: fs.stat(at("d/f")),
    "list": lambda fs: fs.listdir(at("d")),
    "count": lambda fs: fs.content_summary(at("d")),
    "quota": lambda fs: fs.quota_usage(at("d")),
    "create": lambda fs: fs.write_bytes(at("d/n"), b"x"),
    "mkdir": lambda fs: fs.mkdir(at("d/n")),
    "delete": lambda fs: fs.delete(at("d/f")),
    "delete_tree": lambda fs: fs.delete(at("d/full"), recursive=True),
    "rename": lambda fs: fs.rename(at("d/f"), at("d/n")),
    "concat": lambda fs: fs.concat(at("d/f"), at("d/g")),
    "chmod": lambda fs: fs.set_mode(at("d/f"), 0o777),
    "chown": lambda fs: fs.set_owner(at("d/f"), "carol"),
    "limit": lambda fs: fs.set_quota(at("d"), 100),
}

OF_NOBODY = {"limit"}
OF_THE_OWNER = {"chmod"}
NEEDS = {
    "read": (4, 1), "cat": (4, 1), "checksum": (4, 1), "locate": (4, 1), "append": (2, 1),
    "truncate": (2, 1), "overwrite": (2, 3), "replication": (2, 1), "times": (2, 1),
    "stat": (0, 1), "list": (0, 5), "count": (0, 5), "quota": (0, 5), "create": (0, 3),
    "mkdir": (0, 3), "delete": (0, 3), "rename": (0, 3), "concat": (6, 3),
}  # fmt: skip
"""The rights that a deed needs to the file and to its directory; all else needs more."""


def prepare(world: World, file_mode: int, directory_mode: int) -> None:
    """alice's directory with two files of hers, both of the group staff."""
    fs = world.fs
    plant(fs, "d/f", "d/g", "d/full/x")
    for name in ("d/f", "d/g", "d/full/x", "d/full", "d"):
        fs.set_owner(at(name), "alice", "staff")
    for name in ("d/f", "d/g"):
        fs.set_mode(at(name), file_mode)
    fs.set_mode(at("d/full"), 0o777)
    fs.set_mode(at("d"), directory_mode)


@pytest.mark.parametrize("user, shift", [("alice", 6), ("bob", 3), ("carol", 0)])
@pytest.mark.parametrize("deed", sorted(NEEDS))
def test_each_class_of_users_has_its_own_bits(
    world: World, deed: str, user: str, shift: int
) -> None:
    of_file, of_directory = NEEDS[deed]
    fs = world.as_user(user)
    # What the class needs, and nothing for the others: then all but that.
    for bits in (of_file, 7 & ~of_file if of_file else 7):
        prepare(world, bits << shift, 0o777)
        assert outcome(lambda: DEEDS[deed](fs))[1] is (
            None if bits & of_file == of_file else PermissionDenied
        ), oct(bits)
        world.fs.delete(at("d"), recursive=True)
    for bits in {of_directory, 7 & ~of_directory}:
        prepare(world, 0o777, bits << shift)
        assert outcome(lambda: DEEDS[deed](fs))[1] is (
            None if bits & of_directory == of_directory else PermissionDenied
        ), oct(bits)
        world.fs.delete(at("d"), recursive=True)


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_the_superuser_is_never_asked(world: World, deed: str) -> None:
    prepare(world, 0, 0)
    assert outcome(lambda: DEEDS[deed](world.fs))[1] is None


@pytest.mark.parametrize("user", ["alice", "bob", "carol"])
@pytest.mark.parametrize("deed", ["chmod", "chown", "limit"])
def test_what_only_owners_and_superusers_do(world: World, deed: str, user: str) -> None:
    prepare(world, 0o777, 0o777)
    may = deed == "chmod" and user == "alice"
    path = at("d") if deed == "limit" else at("d/f")
    before = world.fs.stat(path)
    kind = outcome(lambda: DEEDS[deed](world.as_user(user)))[1]
    assert kind is (None if may else PermissionDenied)
    if not may:
        assert world.fs.stat(path) == before


def test_a_group_is_given_by_owners_who_are_in_it(world: World) -> None:
    prepare(world, 0o777, 0o777)
    alice = world.as_user("alice")
    assert outcome(lambda: alice.set_owner(at("d/f"), group="strangers"))[1] is PermissionDenied
    alice.set_owner(at("d/f"), "alice", "staff")
    assert world.fs.stat(at("d/f")).group == "staff"
    world.fs.set_owner(at("d/f"), group="strangers")
    assert world.fs.stat(at("d/f")).owner == "alice"
    world.fs.set_owner(at("d/f"), "bob")
    assert (world.fs.stat(at("d/f")).owner, world.fs.stat(at("d/f")).group) == ("bob", "strangers")


@pytest.mark.parametrize("deed", ["delete", "rename", "overwrite"])
@pytest.mark.parametrize("user, may", [("alice", True), ("bob", False), ("carol", True)])
def test_a_sticky_directory_keeps_files_for_their_owners(
    world: World, deed: str, user: str, may: bool
) -> None:
    prepare(world, 0o777, 0o1777)
    world.fs.set_owner(at("d/f"), "carol")
    kind = outcome(lambda: DEEDS[deed](world.as_user(user)))[1]
    assert kind is (None if may else PermissionDenied)


@pytest.mark.parametrize("bits", range(8))
def test_access_tells_beforehand(world: World, bits: int) -> None:
    for mode in (0o000, 0o421, 0o653, 0o777):
        prepare(world, mode, 0o755)
        for user, shift in (("alice", 6), ("bob", 3), ("carol", 0)):
            told = world.as_user(user).access(at("d/f"), bits)
            assert told is (mode >> shift & bits == bits)
        assert world.fs.access(at("d/f"), bits) is True
        world.fs.delete(at("d"), recursive=True)


def test_a_tree_is_deleted_by_who_may_delete_all_of_it(world: World) -> None:
    prepare(world, 0o777, 0o777)
    carol = world.as_user("carol")
    world.fs.set_mode(at("d/full"), 0o755)
    assert outcome(lambda: carol.delete(at("d/full"), recursive=True))[1] is PermissionDenied
    assert world.fs.exists(at("d/full/x"))
    world.fs.set_mode(at("d/full"), 0o777)
    assert carol.delete(at("d/full"), recursive=True)


@pytest.mark.parametrize("umask, file_mode, directory_mode", [
    (None, 0o644, 0o755), (0, 0o666, 0o777), (0o077, 0o600, 0o700), (0o777, 0, 0),
])  # fmt: skip
def test_the_umask(fs: Any, umask: Any, file_mode: int, directory_mode: int) -> None:
    one = fs if umask is None else fs.under_umask(umask)
    one.write_bytes(at("f"), b"")
    one.mkdir(at("d"))
    one.mkdir(at("given"), mode=0o1711)
    assert fs.stat(at("f")).mode == file_mode
    assert fs.stat(at("d")).mode == directory_mode
    assert fs.stat(at("given")).mode == 0o1711
    one.mkdir(at("a/b"), parents=True)
    assert fs.stat(at("a/b")).mode == directory_mode
    assert fs.stat(at("a")).mode == directory_mode | 0o300, "or nothing could be made in it"


@pytest.mark.parametrize("permission", [0o644, 0o755, 0o1777, 0])
def test_a_file_is_made_with_bits_of_its_own(fs: Any, permission: int) -> None:
    with fs.under_umask(0o777).open(at("f"), "wb", permission=permission) as file:
        file.write(b"x")
    assert fs.stat(at("f")).mode == permission


def test_what_is_made_belongs_to_its_maker(world: World) -> None:
    world.fs.set_mode(HERE, 0o777)
    world.fs.set_owner(HERE, group="staff")
    carol = world.as_user("carol")
    carol.write_bytes(at("a/b/f"), b"x")
    carol.mkdir(at("c/d"), parents=True)
    for path in ("a", "a/b", "a/b/f", "c", "c/d"):
        found = world.fs.stat(at(path))
        assert (found.owner, found.group) == ("carol", "staff"), path


@pytest.mark.parametrize("deed", [
    lambda fs: fs.mkdir(at("d/n")), lambda fs: fs.write_bytes(at("d/n"), b""),
    lambda fs: fs.rename(at("g"), at("d/g")), lambda fs: fs.mkdir(at("d/a/b"), parents=True),
    lambda fs: fs.write_bytes(at("d/a/n"), b""),
])  # fmt: skip
def test_a_quota_on_names(fs: Any, deed: Callable[[Any], Any]) -> None:
    plant(fs, "d/f", "g")
    fs.set_quota(at("d"), names=2)
    name = "g" if deed(_Named()) == at("g") else deed(_Named())[len(HERE) + 1 :]
    refused(fs, deed, QuotaExceeded, name)
    fs.write_bytes(at("d/f"), b"in its own place")
    fs.rename(at("d/f"), at("d/renamed"))
    fs.set_quota(at("d"), names=5)
    deed(fs)


class _Named:
    """Takes any call, and tells the first path that it is about."""

    def __getattr__(self, method: str) -> Callable[..., str]:
        return lambda path, *more, **options: path


def test_a_quota_on_space(fs: Any) -> None:
    plant(fs, "g")
    fs.mkdir(at("d"))
    fs.set_quota(at("d"), space=2 * BLOCK)
    fs.write_bytes(at("d/f"), b"f" * BLOCK)
    with fs.open(at("g"), "wb", replication=3) as file:
        file.write(b"g" * BLOCK)
    assert outcome(lambda: fs.rename(at("g"), at("d/g")))[1] is QuotaExceeded
    assert outcome(lambda: fs.set_replication(at("d/f"), 3))[1] is QuotaExceeded
    assert outcome(lambda: fs.write_bytes(at("d/n"), b"n" * 2 * BLOCK))[1] is QuotaExceeded
    assert tree(fs).keys() == {"g", "d", "d/f"}
    fs.set_replication(at("d/f"), 2)
    fs.set_quota(at("d"), space=-1)
    fs.write_bytes(at("d/n"), b"n" * 2 * BLOCK)


def test_what_is_replaced_makes_room_for_what_comes_in_its_place(fs: Any) -> None:
    plant(fs, "d/f", "d/e/", "g.x", "e/")
    fs.write_bytes(at("large"), b"of more than three bytes")
    fs.set_quota(at("d"), names=3, space=3)
    assert outcome(lambda: fs.rename(at("g.x"), at("d/g")))[1] is QuotaExceeded
    large = outcome(lambda: fs.rename(at("large"), at("d/f"), overwrite=True))
    assert large[1] is QuotaExceeded
    fs.rename(at("g.x"), at("d/f"), overwrite=True)
    fs.rename(at("e"), at("d/e"), overwrite=True)
    assert tuple(fs.quota_usage(at("d"))) == (3, 3, 3, 3)


def test_what_counts_for_a_quota(fs: Any) -> None:
    plant(fs, "d/f", "d/e/")
    assert tuple(fs.quota_usage(at("d"))) == (-1, 0, -1, 0)
    assert tuple(fs.quota_usage(at("d/f"))) == (-1, 0, -1, 0)
    fs.set_quota(at("d"), names=9)
    assert tuple(fs.quota_usage(at("d"))) == (9, 3, -1, 3)
    fs.set_quota(at("d"), space=100)
    assert tuple(fs.quota_usage(at("d"))) == (9, 3, 100, 3)
    fs.set_quota(at("d"), names=-1)
    assert tuple(fs.quota_usage(at("d"))) == (-1, 3, 100, 3)
    fs.set_replication(at("d/f"), 3)
    fs.delete(at("d/e"))
    assert tuple(fs.quota_usage(at("d"))) == (-1, 2, 100, 9)


def test_a_quota_below_what_is_there_refuses_only_more(fs: Any) -> None:
    plant(fs, "d/f", "d/g")
    fs.set_quota(at("d"), names=1, space=1)
    left: List[str] = fs.listdir(at("d"))
    assert outcome(lambda: fs.mkdir(at("d/n")))[1] is QuotaExceeded
    fs.rename(at("d/g"), at("d/n"))
    assert fs.delete(at("d/n")) and fs.listdir(at("d")) == left[:1]
