"""Errors of files on the client's own machine, as the family's LocalFileError."""

from contextlib import contextmanager
from typing import Callable, Iterator

from zookeeper.fabric.errors import LocalFileError

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) now and then; may raise to stop the transfer."""


@contextmanager
def local_errors(path: str) -> Iterator[None]:
    """Turn an OSError into a LocalFileError that names the path as the user gave it."""
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"{path}: {error.strerror or error}") from error
