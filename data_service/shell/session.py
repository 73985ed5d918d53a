"""One run of one command: its output, its stores, its errors.

Errors are collected: a failing argument is reported, the other arguments are still done, and the
exit status says that something failed. What ends the whole command (no namenode, no standard
output) is raised on.
"""

import re
import sys
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional

from data_service.filesystem.matching import look
from data_service.filesystem.paths import resolve
from data_service.shell.arguments import clusters, paths
from data_service.shell.arguments.cluster_store import ClusterStore
from data_service.shell.arguments.definitions import Definitions
from data_service.shell.arguments.items import Item, Store, expand, single
from data_service.shell.arguments.local_store import LocalStore
from data_service.shell.arguments.stores import Creation
from data_service.shell.failures import FATAL, NO_SUCH_FILE, PathError, UsageError, describe
from data_service.shell.streams import Input, Output, complain
from zookeeper.fabric.errors import DfsError, InvalidArgument, LocalFileError

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


class Session:
    """What a command's function gets: see the module.

    A command that sets `ignores_checksums`, before anything else, reads damaged files as they are.
    """

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self.out = Output()
        self.failures = 0
        self.ignores_checksums = False
        self.interactive = surroundings.directory is not None
        self._surroundings = surroundings
        self._cluster: Optional[ClusterStore] = None
        self._local = LocalStore()
        self._bar: Any = None
        self._missed_relative = False
        self._definitions = Definitions(surroundings.definitions)

    def __repr__(self) -> str:
        return f"<Session {self.name} {self.failures} failures>"

    # What is told to people.

    def complain(self, message: str) -> None:
        """A line on standard error that makes the exit status 1."""
        self.failures += 1
        self.warn(message)

    def warn(self, message: str) -> None:
        """A line on standard error."""
        self.out.flush()
        complain(f"{self.name}: {message}")

    def progress(self, label: str) -> Any:
        """A progress bar for the next transfer, or None when nobody would see it."""
        if sys.stderr is None or not sys.stderr.isatty():
            return None
        if self._bar is None:
            from data_service.shell.progress import ProgressBar

            self._bar = ProgressBar(label, sys.stderr)
        else:
            self._bar.go_on(label)
        return self._bar

    def clear_progress(self) -> None:
        """Leave an empty line in the place of the bar."""
        if self._bar is not None:
            self._bar.clear()

    def explain_home(self) -> None:
        """Say so when a relative path failed because nobody made its home directory yet."""
        home = f"/user/{self.user}" if self._missed_relative else ""
        if home and self.cluster.directory == home and look(self.cluster, home) is None:
            self.warn(
                f"relative paths start in {home}, which does not exist: mkdir -p {home} makes "
                "it, where only the superuser may do so"
            )

    def input(self) -> Input:
        """Standard input, for a command that stores it; raises LocalFileError."""
        if self.interactive and not (sys.stdin is not None and sys.stdin.isatty()):
            raise LocalFileError("standard input: the commands are read from it")
        return Input()

    # Where things are.

    @property
    def filesystem(self) -> Any:
        """The cluster's FileSystem."""
        return self._surroundings.connect()

    @property
    def user(self) -> str:
        """Who the cluster takes the caller for."""
        return str(self.filesystem.user)

    @property
    def local(self) -> LocalStore:
        """The disk of this machine."""
        return self._local

    @property
    def cluster(self) -> ClusterStore:
        """The cluster as a store."""
        if self._cluster is None:
            filesystem = self.filesystem
            if self.ignores_checksums:
                filesystem = filesystem.ignoring_checksums()
            umask = self._definitions.umask
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

    def check_places(self, words: Iterable[str], needs_cluster: bool = False) -> None:
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

    # What -D says of new files.

    def definition(self, name: str, default: int = 0) -> int:
        """The number that `-D name=value` gives; raises UsageError."""
        return self._definitions.number(name, default)

    def creation(self, overwrite: bool, replication: int = 0) -> Creation:
        """How a new file is made; `replication` is that of the command itself, or 0."""
        known = self._definitions
        return Creation(overwrite, replication or known.replication, known.block_size)

    # Arguments.

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

    def expand_all(self, arguments: Iterable[str], forgiving: bool = False) -> List[Item]:
        """What all arguments stand for; those that fail are reported and left out."""
        found: List[Item] = []
        expand = self.matches if forgiving else self.expand
        for text in arguments:
            self.attempt(lambda: found.extend(expand(text)), text)
        return found

    def each(
        self,
        arguments: Iterable[str],
        act: Callable[[Item], object],
        missing: Optional[Callable[[Item], object]] = None,
        forgiving: bool = False,
    ) -> None:
        """Do `act` to all that the arguments stand for, and `missing` to what is not there.

        Without `missing` it is an error that something is not there, unless `forgiving`.
        """

        def nothing(item: Item) -> None:
            if not forgiving:
                raise PathError(item.text, NO_SUCH_FILE)

        for item in self.expand_all(arguments, forgiving):
            deed = act if item.exists else missing or nothing
            self.attempt(lambda: deed(item), item.text)

    def attempt(self, deed: Callable[[], object], text: str = "") -> bool:
        """Do something to the path `text`, and report its error; whether it went well."""
        with self.reporting(text):
            deed()
            return True
        return False

    @contextmanager
    def reporting(self, text: str) -> Iterator[None]:
        """An error of the block, which is about the path `text`, is reported and ends the block."""
        try:
            yield
        except FATAL:
            raise
        except DfsError as error:
            self.complain(describe(error, text))
