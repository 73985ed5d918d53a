"""Many sources, one destination: the rules that put, get, cp and mv share."""

import os

from data_service.filesystem.paths import resolve
from data_service.shell.arguments import paths
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.places import Places
from data_service.shell.failures import FILE_EXISTS, NO_SUCH_FILE, NOT_A_DIRECTORY, PathError


class Destination:
    """The last argument of a command with sources."""

    def __init__(self, item: Item) -> None:
        self.item = item

    @classmethod
    def of(cls, places: Places, text: str) -> "Destination":
        """The destination that was typed; its wildcards must match exactly one path."""
        found = places.expand(text)
        if len(found) > 1:
            raise PathError(text, "Too many matches")
        return cls(found[0])

    def check(self, sources: int, overwrite: bool = False, make_parents: bool = False) -> None:
        """Raise PathError unless so many sources can go here; no source is looked at."""
        item = self.item
        if sources > 1:
            if not item.exists:
                raise PathError(item.text, NO_SUCH_FILE)
            if not item.is_directory:
                raise PathError(item.text, NOT_A_DIRECTORY)
        elif item.exists:
            if not item.is_directory and not overwrite:
                raise PathError(item.text, FILE_EXISTS)
        elif item.names_directory or not make_parents:
            if not item.parent_exists():
                raise PathError(item.text, NO_SUCH_FILE, full=item.full)

    def target(self, source: Item) -> Item:
        """Where this source goes: into a directory, or to the destination's own name."""
        if self.item.is_directory or self.item.names_directory:
            if not self.item.store.is_local:
                paths.check_name(source.text, source.name)
            return self.child(source.name)
        return self.item

    def child(self, name: str) -> Item:
        """The target of a source of this name inside of the destination, a directory."""
        if not self.item.found.is_directory:
            raise PathError(self.item.text, NOT_A_DIRECTORY)
        return self.item.child(name).refresh()


def check_not_into_itself(source: Item, target: Item) -> None:
    """Raise PathError when a directory would go to its own place or below itself."""
    if target.path == source.path:
        raise PathError(source.text, "are identical", to=target.full)
    below, above = resolve(target.path, "/"), source.path
    if source.store.is_local:
        # A link may lead back, and what is copied there is met again, without end.
        below, above = os.path.realpath(below), os.path.realpath(above)
    if below.startswith(above.rstrip("/") + "/"):
        raise PathError(source.text, "is a subdirectory of itself", to=target.text)
