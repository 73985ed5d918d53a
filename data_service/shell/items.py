"""An argument of a command: the path as it was typed, next to what it stands for."""

import itertools
import os
from typing import Dict, Iterator, List, Optional, Union

from data_service.protocol.messages import FileStatus
from data_service.shell import globs, paths
from data_service.shell.failures import NO_SUCH_FILE, NOT_A_DIRECTORY, PathError
from data_service.shell.stores import ClusterStore, LocalStore
from zookeeper.fabric.errors import NotADirectory, PathNotFound

Store = Union[ClusterStore, LocalStore]


class Item:
    """A path in a store. `status` is None when nothing is there; `text` is for messages.

    `above` is the directory in which it was met; None for what a person named.
    """

    def __init__(
        self,
        store: Store,
        path: str,
        text: str,
        status: Optional[FileStatus],
        above: "Optional[Item]" = None,
    ) -> None:
        self.store = store
        self.path = path
        self.text = text
        self.status = status
        self.above = above

    def __repr__(self) -> str:
        return f"<Item {self.text} {self.path} {'there' if self.exists else 'missing'}>"

    @property
    def exists(self) -> bool:
        """Whether something was there when it was looked at."""
        return self.status is not None

    @property
    def is_directory(self) -> bool:
        """Whether it was a directory."""
        return self.status is not None and self.status.is_directory

    @property
    def found(self) -> FileStatus:
        """The status; raises PathError when nothing is there."""
        if self.status is None:
            raise PathError(self.text, NO_SUCH_FILE)
        return self.status

    @property
    def name(self) -> str:
        """The last component; empty for the root."""
        return paths.base_name(self.path)

    @property
    def full(self) -> str:
        """The path as a URI; as HDFS writes it, a relative local one has no empty authority."""
        is_short = self.store.is_local and not self.text.startswith(("/", "file:"))
        return ("file:" if is_short else self.store.uri) + self.path

    @property
    def names_directory(self) -> bool:
        """Whether the text alone says that a directory is meant, as `d/` does."""
        return self.text.rpartition("/")[2] in ("", ".", "..")

    @property
    def is_named(self) -> bool:
        """Whether a person named it, and it was not only met below what was named."""
        return self.above is None

    @property
    def landing(self) -> str:
        """Where bytes go that are written to it: through links only if it was named."""
        if isinstance(self.store, LocalStore) and self.is_named:
            return self.store.behind(self.path)
        return self.path

    @property
    def is_met_link(self) -> bool:
        """Whether it is a symbolic link of this machine that nobody named, so is not followed."""
        return self.store.is_local and not self.is_named and os.path.islink(self.path)

    def refresh(self) -> "Item":
        """Look again."""
        self.status = look(self.store, self.path)
        return self

    def child(self, name: str, status: Optional[FileStatus] = None) -> "Item":
        """What has this name inside of this directory; it is not looked at."""
        # The root has no name to add.
        path = f"{self.path.rstrip('/')}/{name}".rstrip("/") or "/"
        return Item(self.store, path, paths.child(self.text, name), status, self)

    def children(self) -> Iterator["Item"]:
        """What is in this directory, in the order of names."""
        if not self.found.is_directory:
            raise PathError(self.text, NOT_A_DIRECTORY)
        self.check_no_circle()
        for status in self.store.list(self.path):
            yield self.child(status.name, status)

    def check_no_circle(self) -> None:
        """Raise PathError for a directory of this machine that a link leads back to, from below."""
        above = self.above
        while self.store.is_local and above is not None:
            if isinstance(self.store, LocalStore) and self.store.is_same(self.path, above.path):
                raise PathError(self.text, "The symbolic links lead in a circle")
            above = above.above

    def parent_exists(self) -> bool:
        """Whether the directory that it lies in (or is, by its text) is there."""
        path = self.path if self.names_directory else paths.parent(self.path)
        return look(self.store, path) is not None


def look(store: Store, path: str) -> Optional[FileStatus]:
    """The status of a path, None when nothing is there; below a file there is nothing."""
    try:
        return store.stat(path)
    except (PathNotFound, NotADirectory):
        return None


def _here(store: Store, typed: paths.Typed) -> str:
    """Where a path starts. The working directory is not asked for when it does not matter: the one
    of this machine may have been deleted."""
    return "/" if typed.path.startswith("/") else store.directory


def single(store: Store, typed: paths.Typed) -> Item:
    """What a path without wildcards stands for, there or not."""
    literal = globs.unescape(typed.path)
    if not store.is_local:
        paths.check_name(typed.text, literal)
    here = _here(store, typed)
    path = paths.resolve(literal, here)
    status = look(store, path)
    missing = globs.unescape(typed.text)
    text = paths.shown(typed, path, here) if status is not None else missing
    return Item(store, path, text, status)


def expand(store: Store, typed: paths.Typed) -> List[Item]:
    """What a path stands for, sorted; wildcards may match nothing at all."""
    if not globs.is_glob(typed.path):
        return [single(store, typed)]
    if not store.is_local:
        paths.check_name(typed.text, typed.path)
    found: Dict[str, FileStatus] = {}
    here = _here(store, typed)
    for pattern in globs.expand_braces(typed.path, only_slashed=True):
        start = "/" if pattern.startswith("/") else here
        found.update(_matches(store, start, pattern.split("/")))
    return [
        Item(store, path, paths.shown(typed, path, here), found[path])
        for path in sorted(found, key=lambda path: path.encode("utf-8", "surrogateescape"))
    ]


def _matches(store: Store, directory: str, parts: List[str]) -> Dict[str, FileStatus]:
    """Every path, with its status, that the pattern's components lead to from `directory`.

    It goes from component to component with all that fits so far, each directory once: with
    `*/../*/..` one way for each choice would be very many.
    """
    found: Dict[str, Optional[FileStatus]] = {directory: None}
    rest = [part for part in parts if part]
    while rest and found:
        literal = list(itertools.takewhile(lambda part: not globs.is_glob(part), rest))
        if literal:
            rest = rest[len(literal) :]
            way = globs.unescape("/".join(literal))
            there = {paths.resolve(way, above): None for above in found}
            found = {path: look(store, path) for path in there} if not rest else {**there}
        else:
            found = _children(store, found, globs.NameMatcher(rest.pop(0)), bool(rest))
    return {path: status for path, status in found.items() if status is not None}


def _children(
    store: Store,
    directories: Dict[str, Optional[FileStatus]],
    matcher: globs.NameMatcher,
    only_directories: bool,
) -> Dict[str, Optional[FileStatus]]:
    """What is in the directories and matches; None for the status of one is not looked at yet."""
    found: Dict[str, Optional[FileStatus]] = {}
    for above, known in directories.items():
        top = known or look(store, above)
        if top is None or not top.is_directory:
            continue
        for status in store.list(above):
            if matcher.matches(status.name) and (status.is_directory or not only_directories):
                found[paths.resolve(status.name, above)] = status
    return found
