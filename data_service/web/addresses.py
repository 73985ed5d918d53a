"""Where a request leads: its path and query, each decoded exactly once, and encoded again.

HDFS's own most-reported fault is to decode a path twice, or a plus in it as a blank. Here a path is
what stands in the target, with each %XX taken for a byte of UTF-8, and nothing else.
"""

from typing import NamedTuple, Optional
from urllib.parse import quote, unquote_to_bytes

from data_service.web.remote_exceptions import INVALID_PATH, RemoteException, refused

PREFIX = "/webhdfs/v1"
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Place(NamedTuple):
    """A target taken apart. The `query` is as it came; of the path every %XX is decoded."""

    path: str
    query: bytes


def parse(target: bytes) -> Place:
    """The place that the target of a request names. Raises RemoteException."""
    raw, _, query = target.partition(b"?")
    return Place(decoded(raw, "path"), query)


def decoded(raw: bytes, what: str) -> str:
    """The text behind percent signs. Raises RemoteException for what is no UTF-8."""
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise refused(f"the {what} is not in UTF-8") from None


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
