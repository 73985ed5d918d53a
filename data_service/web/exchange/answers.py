"""Answers, before anything of HTTP is in them but their meaning; and their heads as bytes."""

import json
from typing import Any, Dict, Generator, Iterable, Iterator, NamedTuple, Optional, Tuple, Union

from data_service.web.exchange.remote_exceptions import RemoteException

JSON = "application/json"
BYTES = "application/octet-stream"

REASONS = {
    200: "OK", 201: "Created", 304: "Not Modified", 307: "Temporary Redirect",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 414: "URI Too Long",
    417: "Expectation Failed", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}  # fmt: skip

METHODS = "GET, HEAD, PUT, POST, DELETE, OPTIONS"
FOR_BROWSERS = {
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding, Origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""What every answer tells a browser, unless it says otherwise: not to keep what changes, nor what
another origin or another reader of packed answers gets; not to take somebody's file for a page of
ours, or run what is in it; not to show it within a page of another site; and not to tell others our
addresses, in which a token may stand."""

_LAST_CHUNK = b"0\r\n\r\n"

Piece = Union[bytes, memoryview]
Pieces = Generator[Piece, None, None]
"""Taken one after the other; closing gives up what they come from."""


class Answer(NamedTuple):
    """`pieces` are the body where it is not `body`; `length` is theirs in bytes, None when nobody
    knows yet. They are taken while they are sent, and may fail: then the connection is cut.
    `headers` are further ones, each name and value of ASCII without line ends."""

    status: int
    body: bytes = b""
    content_type: str = ""
    location: str = ""
    pieces: Optional[Pieces] = None
    length: Optional[int] = None
    headers: Tuple[Tuple[str, str], ...] = ()


EMPTY = Answer(200)
OPTIONS = Answer(200, content_type="text/plain", headers=(("Allow", METHODS),))


def answer_json(value: Any) -> Answer:
    """200 with this value."""
    return Answer(200, json.dumps(value, separators=(",", ":")).encode("ascii"), JSON)


def answer_boolean(value: bool) -> Answer:
    """200 with HDFS's boolean."""
    return answer_json({"boolean": value})


def answer_error(error: RemoteException) -> Answer:
    """The error, in JSON."""
    return Answer(error.kind.status, error.body, JSON)


def head_of(answer: Answer, keeps_open: bool, chunked: bool) -> bytes:
    """The head of the response. What is of no known length comes in chunks, or ends with the
    connection."""
    headers: Dict[str, str] = {}
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    if answer.location:
        headers["Location"] = answer.location
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.status != 304 and (answer.pieces is None or answer.length is not None):
        length = len(answer.body) if answer.length is None else answer.length
        headers["Content-Length"] = str(length)
    if answer.status == 405:
        headers["Allow"] = METHODS
    headers.update(FOR_BROWSERS)
    headers.update(answer.headers)
    if not keeps_open:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {answer.status} {REASONS[answer.status]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def chunks(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces as chunks of HTTP, with the last one."""
    for piece in pieces:
        if piece:
            yield b"%x\r\n" % len(piece) + bytes(piece) + b"\r\n"
    yield _LAST_CHUNK
