"""An argument of a command: the path as it was typed, next to what it stands for."""

import os
from typing import Iterator, List, Optional, Union

from data_service.filesystem import globs
from data_service.filesystem.matching import look, matching
from data_service.filesystem.paths import parent, resolve
from data_service.protocol.files import FileStatus
from data_service.shell.arguments import paths
from data_service.shell.arguments.cluster_store import ClusterStore
from data_service.shell.arguments.local_store import LocalStore
from data_service.shell.failures import IS_A_DIRECTORY, NO_SUCH_FILE, NOT_A_DIRECTORY, PathError

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

    def check_file(self) -> None:
        """Raise PathError unless a file is there."""
        if self.found.is_directory:
            raise PathError(self.text, IS_A_DIRECTORY)

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
        """Raise PathError for a directory of this machine that a link leads back to, from below.

        Nothing but a link leads there. To compare all directories with all above them would take a
        time that grows with the third power of the depth.
        """
        above = self.above if self.is_met_link else None
        while above is not None:
            if isinstance(self.store, LocalStore) and self.store.is_same(self.path, above.path):
                raise PathError(self.text, "The symbolic links lead in a circle")
            above = above.above

    def parent_exists(self) -> bool:
        """Whether the directory that it lies in (or is, by its text) is there."""
        path = self.path if self.names_directory else parent(self.path)
        return look(self.store, path) is not None


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
    path = resolve(literal, here)
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
    here = _here(store, typed)
    return [
        Item(store, path, paths.shown(typed, path, here), status)
        for path, status in matching(store, typed.path, here).items()
    ]
