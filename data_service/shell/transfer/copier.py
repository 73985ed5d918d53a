"""Copies of files and trees from any store to any store.

A copy appears whole or not at all: the cluster shows a file when it is complete, a local copy is
written beside its target and renamed. So no temporary name is ever seen.
"""

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
)

from data_service.shell.arguments import local_targets, paths
from data_service.shell.arguments.cluster_store import ClusterStore
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import Options
from data_service.shell.arguments.stores import Creation
from data_service.shell.arguments.targets import Destination, check_not_into_itself
from data_service.shell.failures import FILE_EXISTS, NOT_A_DIRECTORY, PathError
from data_service.shell.session import Session
from data_service.shell.trees import children, depth_first
from zookeeper.fabric.errors import PathExists

if TYPE_CHECKING:
    from data_service.shell.transfer.workers import Workers

Pair = Tuple[Item, Item]
"""What is copied, and where it goes."""

After = Callable[[Item, Item], None]

THREAD_OPTIONS = "t q"
"""The options with a value that all who copy have, as `parse` wants them."""

THREADS_MAX = 64


def threads_of(options: Options) -> int:
    """How many files are copied at once; raises UsageError. The length of a queue needs no say."""
    options.number("q", 0)
    return max(1, min(options.number("t", 1), THREADS_MAX))


class CopyOptions(NamedTuple):
    """How to copy.

    `before` is done to each file that will be copied, `after` to each (source, target) pair that
    was, directories after what they hold. `merge` allows that a directory's target is there.
    """

    creation: Creation
    threads: int = 1
    merge: bool = True
    before: Optional[Callable[[Item], object]] = None
    after: Optional[After] = None


class Copier:
    """The copies of one command."""

    def __init__(self, session: Session, options: CopyOptions) -> None:
        self._session = session
        self._options = options
        self._workers: "Optional[Workers]" = None

    def __enter__(self) -> "Copier":
        if self._options.threads > 1:
            from data_service.shell.transfer.workers import Workers

            self._workers = Workers(self._options.threads)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._session.clear_progress()
        if self._workers is not None:
            self._workers.__exit__(*exception)

    def copy_all(self, sources: List[Item], destination: Destination) -> None:
        """Copy each source to its target; what fails is reported, the rest is done."""
        for source in sources:
            self._session.attempt(lambda: self._copy(source, destination), source.text)
        self._wait()

    def _copy(self, source: Item, destination: Destination) -> None:
        is_directory = source.found.is_directory
        target = destination.target(source)
        if not is_directory:
            self._submit(source, target)
            return
        if source.store is target.store:
            check_not_into_itself(source, target)
        if target.exists and not self._options.merge:
            raise PathError(target.text, FILE_EXISTS)
        self._tree(source, target)

    def _tree(self, top: Item, target: Item) -> None:
        """Copy a directory; the order is that of the names, directories before their contents."""
        made: List[Pair] = []

        def copy(pair: Pair) -> Iterable[Pair]:
            if not pair[0].is_directory:
                self._submit(*pair)
            elif self._session.attempt(lambda: self._directory(*pair), pair[1].text):
                made.append(pair)
                return self._below(*pair)
            return ()

        for _ in depth_first((top, target), copy):
            pass
        self._wait()
        for source, target in reversed(made):
            self._finish(source, target)

    def _below(self, source: Item, target: Item) -> Iterator[Pair]:
        for child in children(self._session, source):
            yield child, target.child(child.name)

    def _submit(self, source: Item, target: Item) -> None:
        def run() -> None:
            self._session.attempt(lambda: self._file(source, target), source.text)

        if self._workers is None:
            run()
        else:
            self._workers.do(run)

    def _wait(self) -> None:
        if self._workers is not None:
            self._workers.wait()

    @staticmethod
    def _directory(source: Item, target: Item) -> None:
        source.check_no_circle()
        _check_name(source, target)
        if not target.refresh().exists:
            target.store.mkdir(target.path, parents=True)
            target.refresh()
        elif not target.is_directory or target.is_met_link:
            raise PathError(target.text, NOT_A_DIRECTORY)

    def _file(self, source: Item, target: Item) -> None:
        _check_name(source, target)
        if source.store.is_local and not source.is_named:
            # To open a pipe that nobody writes takes for ever, and a device may have no end.
            if not local_targets.is_regular(source.path):
                raise PathError(source.text, "Not an ordinary file")
        is_taken = target.refresh().exists or target.is_met_link
        if is_taken and (target.is_directory or not self._options.creation.overwrite):
            raise PathError(target.text, FILE_EXISTS)
        if self._options.before is not None:
            self._options.before(source)
        try:
            self._transfer(source, target)
        except PathExists:
            raise PathError(target.text, FILE_EXISTS) from None
        self._finish(source, target)

    def _transfer(self, source: Item, target: Item) -> None:
        transfer = _TRANSFERS[source.store.is_local, target.store.is_local]
        if self._workers is not None:
            # Several bars would draw over each other.
            transfer(source, target, self._options.creation, self._workers.heed)
            return
        transfer(source, target, self._options.creation, self._session.progress(source.text))

    def _finish(self, source: Item, target: Item) -> None:
        if self._options.after is not None:
            after = self._options.after
            self._session.attempt(lambda: after(source, target), source.text)


def _check_name(source: Item, target: Item) -> None:
    """Blame the source for a name that the cluster cannot hold, before anybody is asked for it."""
    if not target.store.is_local:
        paths.check_name(source.text, target.path)


def _put(source: Item, target: Item, creation: Creation, progress: Any) -> None:
    assert isinstance(target.store, ClusterStore)
    if local_targets.is_regular(source.path):
        target.store.put(source.path, target.path, creation, progress)
    else:
        # A pipe or device tells no size: it is read to its end.
        _stream(source, target, creation, progress)


def _get(source: Item, target: Item, creation: Creation, progress: Any) -> None:
    assert isinstance(source.store, ClusterStore)
    filesystem = source.store.filesystem
    landing = target.landing
    if local_targets.is_stream(landing):
        with target.store.create(landing) as sink:
            filesystem.cat(source.path, sink.write, progress)
        return
    filesystem.get(source.path, landing, overwrite=creation.overwrite, progress=progress)


def _stream(source: Item, target: Item, creation: Creation, progress: Any) -> None:
    assert isinstance(target.store, ClusterStore)
    with source.store.open(source.path) as stream:
        target.store.put_stream(stream, target.path, creation, progress)


def _within_machine(source: Item, target: Item, creation: Creation, progress: Any) -> None:
    with target.store.create(target.landing, creation) as sink:
        source.store.cat(source.path, sink.write, progress)


_TRANSFERS = {
    (True, False): _put,
    (False, True): _get,
    (False, False): _stream,
    (True, True): _within_machine,
}
