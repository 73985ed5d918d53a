"""put and moveFromLocal: local files that are stored in the cluster."""

from typing import List

from data_service.shell.arguments.cluster_store import ClusterStore
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import Options, parse
from data_service.shell.arguments.stores import Creation
from data_service.shell.arguments.targets import Destination
from data_service.shell.failures import FILE_EXISTS, PathError
from data_service.shell.session import Session
from data_service.shell.streams import STANDARD_INPUT
from data_service.shell.transfer.attributes import preserve
from data_service.shell.transfer.copier import THREAD_OPTIONS, Copier, CopyOptions, threads_of
from data_service.shell.transfer.moved_sources import MovedSources

FLAGS = "f p l d"
LAZY_REPLICATION = 1


def put(session: Session, words: List[str]) -> None:
    """Store local files in the cluster."""
    options = parse(words, FLAGS, THREAD_OPTIONS, least=1)
    _put(session, options.arguments, _copying(session, options))


def move_from_local(session: Session, words: List[str]) -> None:
    """Store local files in the cluster, and delete them here."""
    options = parse(words, FLAGS, THREAD_OPTIONS, least=1)
    copying = _copying(session, options)
    moved = MovedSources()

    def after(source: Item, target: Item) -> None:
        if copying.after is not None:
            copying.after(source, target)
        moved.remove(source, target)

    _put(
        session,
        options.arguments,
        copying._replace(merge=False, before=moved.note, after=after),
    )


def _copying(session: Session, options: Options) -> CopyOptions:
    return CopyOptions(
        session.definitions.creation(options.has("f"), LAZY_REPLICATION if options.has("l") else 0),
        threads=threads_of(options),
        after=preserve if options.has("p") else None,
    )


def _put(session: Session, arguments: List[str], copying: CopyOptions) -> None:
    text = arguments.pop() if len(arguments) > 1 else "."
    destination = Destination.of(session.places, text)
    if arguments == [STANDARD_INPUT]:
        _put_standard_input(session, destination, copying.creation)
        return
    sources: List[Item] = []
    for argument in arguments:
        session.attempt(lambda: sources.append(session.places.local_item(argument)), argument)
    destination.check(len(arguments), copying.creation.overwrite, make_parents=True)
    with Copier(session, copying) as copier:
        copier.copy_all(sources, destination)


def _put_standard_input(session: Session, destination: Destination, creation: Creation) -> None:
    target = destination.item
    if target.is_directory or target.names_directory:
        target = destination.child(STANDARD_INPUT)
    if target.exists and (target.is_directory or not creation.overwrite):
        raise PathError(target.text, FILE_EXISTS)
    stream = session.input()
    progress = session.progress("standard input")
    if isinstance(target.store, ClusterStore):
        target.store.put_stream(stream, target.path, creation, progress)
    else:
        with target.store.create(target.landing, creation) as sink:
            for chunk in stream.chunks():
                sink.write(chunk)
    session.clear_progress()
