"""concat: several files that become one, without a byte being copied."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import PathError
from data_service.shell.session import Session
from data_service.shell.table import COMMANDS
from zookeeper.fabric.errors import DfsError


def concat(session: Session, words: List[str]) -> None:
    """Move the blocks of files to the end of another one in the same directory."""
    arguments = session.expand_all(parse(words).arguments)
    usage = COMMANDS["concat"].usage
    if not arguments:
        raise DfsError(f"Target path not specified. {usage}")
    if len(arguments) < 3:
        raise DfsError(f"The number of source paths is less than 2. {usage}")
    target, sources = arguments[0], arguments[1:]
    if not _is_file(target):
        raise DfsError(f"Target path {target.full} does not exist or is not file.")
    for source in sources:
        if not _is_file(source):
            raise DfsError(f"{source.full} does not exist or is not file.")
        if source.store is not target.store:
            raise PathError(source.text, "Does not match target filesystem")
    target.store.concat(target.path, *(source.path for source in sources))


def _is_file(item: Item) -> bool:
    return item.exists and not item.is_directory
