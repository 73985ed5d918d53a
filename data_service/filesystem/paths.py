"""Paths as a program gives them, and the absolute form in which the namenode knows them."""

import os
import re
from contextlib import contextmanager
from typing import Iterator, List, Union

from zookeeper.fabric.errors import DfsError, InvalidArgument

AnyPath = Union[str, "os.PathLike[str]"]
"""Text, or an object with such text, as a PurePosixPath."""

_URI = r"[A-Za-z][A-Za-z0-9+.-]*:/"


def normalise(path: str) -> str:
    """An absolute path without empty components, `.` and `..`."""
    parts: List[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def parent(path: str) -> str:
    """The directory that an absolute path lies in; `/` lies in itself."""
    return path.rpartition("/")[0] or "/"


def resolve(path: str, directory: str) -> str:
    """The absolute form of a path that is relative to `directory`."""
    return normalise(path if path.startswith("/") else f"{directory}/{path}")


def text_of(path: AnyPath) -> str:
    """What a program gave, as text.

    Raises TypeError for what is no text, bytes too, and InvalidArgument for an empty path and for a
    URI: a FileSystem is of one cluster, and must not take another one's path for its own.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path in the cluster is text, not {type(text).__name__}: {text!r:.80}")
    if not text:
        raise InvalidArgument("a path must not be empty; `.' is the home directory")
    if ":/" in text and re.match(_URI, text):
        raise InvalidArgument(
            f"{text}: a path is expected, not a URI; which cluster it is in, the FileSystem says"
        )
    return text


@contextmanager
def named(path: str, other: str = "") -> Iterator[None]:
    """Give an error of the body the path, or the two paths, that it is about."""
    try:
        yield
    except DfsError as error:
        if error.filename is None:
            error.filename = path
            if other:
                error.filename2 = other
        raise
