"""Which place a typed path is in: the cluster, the disk of this machine, or one out of reach."""

import re
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional

from data_service.filesystem.matching import look
from data_service.filesystem.paths import resolve
from data_service.shell.arguments import clusters, paths
from data_service.shell.arguments.cluster_store import ClusterStore
from data_service.shell.arguments.definitions import Definitions
from data_service.shell.arguments.items import Item, Store, expand, single
from data_service.shell.arguments.local_store import LocalStore
from data_service.shell.failures import NO_SUCH_FILE, PathError, UsageError
from zookeeper.fabric.errors import DfsError, InvalidArgument

_SCHEME = r"(?:hdfs|pyhdfs|file):/|[A-Za-z][A-Za-z0-9+.-]+://"
_URI_THAT_NAMES_A_HOST = tuple(f"{scheme}://" for scheme in (*clusters.SCHEMES, "file"))


class Surroundings(NamedTuple):
    """What a command is run with, besides its own words.

    `connect` gives the FileSystem; it is called when the cluster is needed, and cheap to repeat.
    `default_uri` is what `-fs` named, or empty; `definitions` are the `-D name=value`;
    `directory` is the prompt's working directory (empty: home), None outside of the prompt.
    """

    connect: Callable[[], Any]
    default_uri: str
    definitions: Dict[str, str]
    directory: Optional[str]


class Places:
    """Where the paths of one command lie.

    A command that sets `ignores_checksums`, before anything else, reads damaged files as they are.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self.ignores_checksums = False
        self._surroundings = surroundings
        self._cluster: Optional[ClusterStore] = None
        self._local = LocalStore()
        self._missed_relative = False

    def __repr__(self) -> str:
        return f"<Places {self._surroundings.default_uri} {self._surroundings.directory}>"

    @property
    def filesystem(self) -> Any:
        """The cluster's FileSystem."""
        return self._surroundings.connect()

    @property
    def user(self) -> str:
        """Who the cluster takes the caller for."""
        return str(self.filesystem.user)

    @property
    def cluster(self) -> ClusterStore:
        """The cluster as a store."""
        if self._cluster is None:
            filesystem = self.filesystem
            if self.ignores_checksums:
                filesystem = filesystem.ignoring_checksums()
            umask = Definitions(self._surroundings.definitions).umask
            if umask is not None:
                filesystem = filesystem.under_umask(umask)
            directory = self._surroundings.directory or f"/user/{filesystem.user}"
            self._cluster = ClusterStore(filesystem, self._uri(filesystem), directory)
        return self._cluster

    def _uri(self, filesystem: Any) -> str:
        default = self._default
        if default is not None and default.authority and default.scheme in clusters.SCHEMES:
            return default.prefix
        return f"hdfs://{filesystem.settings.name_node.hosts[0]}"

    @property
    def _default(self) -> Optional[paths.Typed]:
        """What paths without a scheme belong to, when the caller said it."""
        given = self._surroundings.default_uri
        return paths.parse(given) if given else None

    def check(self, words: Iterable[str], needs_cluster: bool = False) -> None:
        """Raise UsageError, or DfsError, when a command means a place that it cannot reach.

        That is, for any of its words or the default: another cluster, another machine's files.
        It is asked before the command does anything. `needs_cluster` says that it is of no use on
        the local disk.
        """
        for word in words:
            if word.startswith(_URI_THAT_NAMES_A_HOST):
                self._check_authority(paths.parse(word))
        default = self._default
        if default is not None:
            if self.store_of(default).is_local and needs_cluster:
                raise InvalidArgument(f"FileSystem {default.text} is not an HDFS file system")

    def _check_authority(self, typed: paths.Typed) -> None:
        clusters.check_machine(typed)
        if typed.authority is not None and typed.scheme in clusters.SCHEMES:
            from zookeeper.fabric.sockets import numeric_host

            hosts = self.filesystem.settings.name_node.hosts
            clusters.check_authority(typed, hosts, numeric_host)

    def store_of(self, typed: paths.Typed) -> Store:
        """The store that a path is in; without a scheme it is the default.

        Raises UsageError for what is of another cluster or machine.
        """
        self._check_authority(typed)
        default = self._default
        if not typed.scheme and default is not None:
            typed = default
        if typed.scheme == "file":
            return self._local
        if not typed.scheme or typed.scheme in clusters.SCHEMES:
            return self.cluster
        raise DfsError(f'No FileSystem for scheme "{typed.scheme}"')

    def _noted(self, typed: paths.Typed, item: Item) -> Item:
        if typed.is_relative and not item.exists and not item.store.is_local:
            self._missed_relative = True
        return item

    def cluster_item(self, text: str) -> Item:
        """What a path stands for that must be one of the cluster; raises InvalidArgument."""
        item = self.item(text)
        if item.store.is_local:
            raise InvalidArgument(f"FileSystem {item.store.uri}/ is not an HDFS file system")
        return item

    def item(self, text: str) -> Item:
        """What a path without wildcards stands for."""
        typed = paths.parse(text)
        return self._noted(typed, single(self.store_of(typed), typed))

    def file(self, text: str) -> Item:
        """What a path without wildcards stands for, which must be there and be a file."""
        item = self.item(text)
        item.check_file()
        return item

    def local_item(self, text: str) -> Item:
        """A path on the disk of this machine, literally but for a `file:` in front of it.

        A URI of the cluster names what it names: any store may be at either end of a copy. So a
        local name that looks like a URI is reached as `./hdfs:/x`.
        """
        path = text
        if re.match(_SCHEME, text):
            typed = paths.parse(text)
            if typed.scheme != "file":
                return self.item(text)
            self._check_authority(typed)
            path = typed.path
        if not path:
            raise UsageError("Can not create a Path from an empty string")
        here = "/" if path.startswith("/") else self._local.directory
        return Item(self._local, resolve(path, here), path, None).refresh()

    def matches(self, text: str) -> List[Item]:
        """What an argument stands for; nothing when its wildcards match nothing."""
        typed = paths.parse(text)
        found = expand(self.store_of(typed), typed)
        for item in found:
            self._noted(typed, item)
        return found

    def expand(self, text: str) -> List[Item]:
        """What an argument stands for; raises PathError when its wildcards match nothing."""
        found = self.matches(text)
        if not found:
            raise PathError(text, NO_SUCH_FILE)
        return found

    def missing_home(self) -> str:
        """The home directory, when a relative path was not found and nobody made that yet."""
        home = f"/user/{self.user}" if self._missed_relative else ""
        if home and self.cluster.directory == home and look(self.cluster, home) is None:
            return home
        return ""
