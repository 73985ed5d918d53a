"""What a glob stands for: a walk through the directories that fit, component by component."""

import itertools
from typing import Any, Dict, List, Optional

from data_service.filesystem import globs
from data_service.filesystem.paths import resolve
from data_service.protocol.files import FileStatus
from zookeeper.fabric.errors import NotADirectory, PathNotFound


def look(store: Any, path: str) -> Optional[FileStatus]:
    """The status of a path, None when nothing is there; below a file there is nothing."""
    try:
        status: FileStatus = store.stat(path)
    except (PathNotFound, NotADirectory):
        return None
    return status


def matching(store: Any, pattern: str, directory: str) -> Dict[str, FileStatus]:
    """Every path, with its status, that a glob stands for; a relative one begins at `directory`.

    A store has `stat` and `list`, which take absolute paths. The order is that of the names' bytes.
    Raises IllegalPattern and TooManyAlternatives.
    """
    found: Dict[str, FileStatus] = {}
    for one in globs.expand_braces(pattern, only_slashed=True):
        start = "/" if one.startswith("/") else directory
        found.update(_matches(store, start, one.split("/")))
    ordered = sorted(found, key=lambda path: path.encode("utf-8", "surrogateescape"))
    return {path: found[path] for path in ordered}


def _matches(store: Any, directory: str, parts: List[str]) -> Dict[str, FileStatus]:
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
            there = {resolve(way, above): None for above in found}
            found = {path: look(store, path) for path in there} if not rest else {**there}
        else:
            found = _children(store, found, globs.NameMatcher(rest.pop(0)), bool(rest))
    return {path: status for path, status in found.items() if status is not None}


def _children(
    store: Any,
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
                found[resolve(status.name, above)] = status
    return found
