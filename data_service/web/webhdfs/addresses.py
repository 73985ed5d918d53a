"""Where a file of the cluster is in WebHDFS, and which file an address leads to."""

from typing import Optional
from urllib.parse import quote

from data_service.web.exchange.remote_exceptions import INVALID_PATH, RemoteException

PREFIX = "/webhdfs/v1"
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def file_path(path: str) -> Optional[str]:
    """The path in the cluster that one of WebHDFS stands for; None for any other."""
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return None
    names = [name for name in path[len(PREFIX) :].split("/") if name]
    if "." in names or ".." in names:
        raise RemoteException(INVALID_PATH, f"Invalid path name {path[len(PREFIX) :]}")
    return "/" + "/".join(names)


def location(origin: str, path: str, query: bytes) -> str:
    """Where the second step of an operation is done: all that it has to know stands in there."""
    # What a client did not encode is encoded here; what it did encode stays as it is.
    parameters = quote(query, safe=_PRINTABLE)
    return f"{origin}{PREFIX}{quote(path)}?data=true&{parameters}"
