"""getmerge: many files of the cluster, in one local file."""

from typing import List

from data_service.filesystem.paths import parent
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import IS_A_DIRECTORY, PathError
from data_service.shell.session import Session


def getmerge(session: Session, words: List[str]) -> None:
    """Fetch all files of directories, in the order of names, into one local file."""
    options = parse(words, "nl skip-empty-file", least=2)
    target = session.places.local_item(options.arguments.pop())
    if target.is_directory:
        raise PathError(target.text, IS_A_DIRECTORY)
    files: List[Item] = []

    def collect(item: Item) -> None:
        if item.is_directory:
            files.extend(child for child in item.children() if not child.is_directory)
        else:
            files.append(item)

    session.each(options.arguments, collect)
    if session.failures:
        return
    if target.store.is_local:
        target.store.mkdir(parent(target.path), parents=True)
    with target.store.create(target.landing) as sink:
        for item in files:
            item.store.cat(item.path, sink.write)
            if options.has("nl") and (item.found.length or not options.has("skip-empty-file")):
                sink.write(b"\n")
