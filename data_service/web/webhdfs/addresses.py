"""Where a file of the cluster is in WebHDFS, and which file an address leads to."""

from typing import NoReturn, Optional
from urllib.parse import quote

from data_service.web.exchange.remote_exceptions import INVALID_PATH, RemoteException

PREFIX = "/webhdfs/v1"
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def file_path(path: str) -> Optional[str]:
    """The path in the cluster that one of WebHDFS stands for; None for any other."""
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return None
    return plain_path(path[len(PREFIX) :])


def plain_path(path: str) -> str:
    """An absolute path without empty names; one with `.` or `..` is none. Raises
    RemoteException."""
    names = [name for name in path.split("/") if name]
    if "." in names or ".." in names:
        _refuse(path)
    return "/" + "/".join(names)


def check_new(path: str) -> None:
    """Raise RemoteException for a path that must not be made here.

    HDFS has no name with a colon, and its clients fail on a directory in which they meet one. What
    was made by other ways can be used all the same.
    """
    if ":" in path:
        _refuse(path)


def _refuse(path: str) -> NoReturn:
    raise RemoteException(INVALID_PATH, f"Invalid path name {path}")


def location(origin: str, path: str, query: bytes) -> str:
    """Where the second step of an operation is done: all that it has to know stands in there."""
    # What a client did not encode is encoded here; what it did encode stays as it is.
    parameters = quote(query, safe=_PRINTABLE)
    return f"{origin}{PREFIX}{quote(path)}?data=true&{parameters}"
