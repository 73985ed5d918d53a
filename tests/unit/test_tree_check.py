"""Checks of whole trees, which others are answered in the middle of."""

from random import Random
from typing import Callable, List

import pytest

from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.tree_check import CHANGES_MAX, TreeCheck, Unfinished
from tests.support.models.namespace_tree import Tree
from zookeeper.fabric.errors import PermissionDenied

ALICE = Caller("alice", frozenset(), False)
ROOT = Caller("root", frozenset(), True)


def tree_of(paths: List[str]) -> Tree:
    """Directories that anybody may do anything in."""
    tree = Tree()
    for path in paths:
        tree.apply(tree.made(path, True, 0o777, 1))
        tree.apply(tree.rules.set_mode(ROOT, parse(path), 0o777))
    return tree


PATHS = ["/t"] + [f"/t/{a}" for a in "abcd"] + [f"/t/{a}/{b}" for a in "abcd" for b in "xyz"]


def slices(check: Callable[[], object], between: Callable[[], None] = lambda: None) -> int:
    """How often it was unfinished; something happens in between."""
    count = 0
    while True:
        try:
            check()
            return count
        except Unfinished:
            count += 1
            between()


def deleting(tree: Tree, check: TreeCheck) -> Callable[[], object]:
    """Alice deletes /t, as far as the check."""
    return lambda: tree.rules.delete(ALICE, parse("/t"), True, 9, check)


def open_root(tree: Tree) -> None:
    """Everybody may delete in the root."""
    tree.apply(tree.rules.set_mode(ROOT, (), 0o777))


@pytest.mark.parametrize("at_once, unfinished", [(1, 16), (5, 3), (17, 0), (1000, 0)])
def test_a_check_asks_no_more_than_so_many_at_once(at_once: int, unfinished: int) -> None:
    tree = tree_of(PATHS)
    open_root(tree)
    check = TreeCheck(at_once)
    summary = lambda: tree.resolver.content_summary(ALICE, parse("/t"), check)  # noqa: E731
    assert slices(summary) == unfinished
    assert slices(deleting(tree, TreeCheck(at_once))) == unfinished
    assert slices(lambda: tree.resolver.content_summary(ROOT, (), TreeCheck(1))) == 0


@pytest.mark.parametrize("when", range(16))
def test_what_comes_in_or_changes_in_the_middle_is_asked_too(when: int) -> None:
    """Wherever the check has come to by then."""

    def new(tree: Tree) -> None:
        tree.apply(tree.made("/t/a/new/deep", True, 0o700, 2))

    def moved(tree: Tree) -> None:
        tree.rename("/elsewhere", "/t/b/y/here")

    def closed(tree: Tree) -> None:
        tree.apply(tree.rules.set_mode(ROOT, parse("/t/c/z"), 0o700))

    def replaced(tree: Tree) -> None:
        tree.rename("/t", "/old")
        tree.apply(tree.made("/t/new/deep", True, 0o700, 2))

    for change in (new, moved, closed, replaced):
        tree = tree_of(PATHS + ["/elsewhere", "/elsewhere/in"])
        for path in ("/elsewhere/in", "/t/c/z"):
            tree.apply(tree.made(f"{path}/something", True, 0o777, 1))
        tree.apply(tree.rules.set_mode(ROOT, parse("/elsewhere/in"), 0o700))
        open_root(tree)
        moments = iter(range(1000))

        def at_that_moment() -> None:
            if next(moments) == when:
                change(tree)

        with pytest.raises(PermissionDenied):
            slices(deleting(tree, TreeCheck(1)), at_that_moment)


def test_what_has_left_the_tree_refuses_nothing() -> None:
    tree = tree_of(PATHS)
    open_root(tree)
    for name in "abcd":
        tree.apply(tree.rules.set_mode(ROOT, parse(f"/t/{name}"), 0o700))
    gone: List[None] = []

    def leave() -> None:
        if not gone:
            gone.append(None)
            for name in "abcd":
                tree.rename(f"/t/{name}", f"/{name}")

    assert slices(deleting(tree, TreeCheck(1)), leave)


def test_touched_directories_are_not_asked_again_and_a_check_ends() -> None:
    tree = tree_of(PATHS)
    open_root(tree)
    names = iter(range(1000))
    count = slices(deleting(tree, TreeCheck(2)), lambda: tree.file(f"/t/a/{next(names)}"))
    assert count < 40, "each new file is asked, and no directory twice"


def test_a_check_that_was_away_for_too_long_begins_anew() -> None:
    tree = tree_of(PATHS)
    open_root(tree)
    moments = iter(range(1000))

    def much() -> None:
        if next(moments) == 10:
            tree.apply(tree.rules.set_mode(ROOT, parse("/t/a"), 0o700))
            for _ in range(CHANGES_MAX):
                tree.image.changes.note(tree.image.root)

    with pytest.raises(PermissionDenied):
        slices(deleting(tree, TreeCheck(1)), much)


@pytest.mark.parametrize("seed", range(30))
def test_a_check_in_slices_says_at_its_end_what_one_at_once_says(seed: int) -> None:
    random = Random(seed)
    tree = tree_of(PATHS)
    open_root(tree)

    def meanwhile() -> None:
        path = random.choice([p for p in tree.paths() if p.startswith("/t/")])
        mode = random.choice([0o777, 0o777, 0o777, 0o1777, 0o755])
        tree.apply(tree.rules.set_mode(ROOT, parse(path), mode))

    def outcome(deed: Callable[[], object]) -> str:
        try:
            deed()
        except PermissionDenied as error:
            return error.message.split(":")[0]
        return ""

    sliced = outcome(lambda: slices(deleting(tree, TreeCheck(3)), meanwhile))
    at_once = outcome(deleting(tree, TreeCheck.at_once()))
    assert bool(sliced) >= bool(at_once), "nothing is deleted that could not be deleted at once"
