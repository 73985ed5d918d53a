"""The target of a request: its path and query, each decoded exactly once.

HDFS's own most-reported fault is to decode a path twice, or a plus in it as a blank. Here a path is
what stands in the target, with each %XX taken for a byte of UTF-8, and nothing else.
"""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from data_service.web.exchange.remote_exceptions import refused


class Target(NamedTuple):
    """A target taken apart. The `query` is as it came; of the path every %XX is decoded."""

    path: str
    query: bytes


def parse_target(target: bytes) -> Target:
    """What the target of a request names. Raises RemoteException."""
    raw, _, query = target.partition(b"?")
    return Target(decoded(raw, "path"), query)


def decoded(raw: bytes, what: str) -> str:
    """The text behind percent signs. Raises RemoteException for what is no UTF-8."""
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise refused(f"the {what} is not in UTF-8") from None
