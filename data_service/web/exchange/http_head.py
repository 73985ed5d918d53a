"""The head of an HTTP/1.1 request: bytes in, what they say out.

Strict where two readers might disagree on where a request ends, since behind a proxy that would
hide one request in another: no folded lines, no bare line feeds, no second length, no length beside
`Transfer-Encoding`, and of that `chunked` only.
"""

import re
from typing import Dict, FrozenSet, List, NamedTuple, Optional

from data_service.web.exchange.remote_exceptions import refused

LINE_BYTES_MAX = 64 << 10
"""The longest request line: CONCAT names all of its sources in there."""

HEAD_BYTES_MAX = LINE_BYTES_MAX + (32 << 10)
HEADERS_MAX = 100
HEAD_END = b"\r\n\r\n"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Some clients send paths as they are, in UTF-8.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/1\.([0-9])")
# Blanks around a value are stripped later: sought in here, many of them could be parted between
# two places in so many ways that to find that none fits would take minutes.
HEADER = re.compile(rb"(" + _TOKEN + rb"):([\t\x20-\x7e\x80-\xff]*)")
_ABSOLUTE = re.compile(rb"^https?://[^/?#]+", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"(?P<host>[A-Za-z0-9]([A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?"
)
_NO_PORT = re.compile(r"[^:\[\]]+|\[[^\]]*\]")
_PORT = re.compile(r"[0-9]{1,5}")
_USUAL_PORTS = {"http": "80", "https": "443"}
_ONCE = ("content-length", "transfer-encoding", "host", "expect")
_LENGTH_DIGITS_MAX = 18
HOST_CHARACTERS_MAX = 64
_OWN_PEERS = ("127.0.0.1", "::/64")


class Head(NamedTuple):
    """A request without its body. The names of `headers` are in small letters.

    `length` is that of the body in bytes, None when it comes in chunks. `expects` tells that the
    client waits for `100 Continue` before it sends the body; `secure`, that it came over TLS.
    `peer` is the host, or with IPv6 the network, that it came from.
    """

    method: str
    target: bytes
    headers: Dict[str, str]
    length: Optional[int]
    keeps_open: bool
    expects: bool
    version: int
    secure: bool = False
    peer: str = ""

    @property
    def authority(self) -> str:
        """Host and port by which the client came, if it says so; through a proxy, to that one."""
        host, port = self._forwarded("host"), self._forwarded("port")
        return _with_port(host, port, self.scheme) or self.headers.get("host", "")

    @property
    def scheme(self) -> str:
        """`https` over TLS, or if a proxy in front of us says so."""
        told = self._forwarded("proto").lower()
        return "https" if self.secure or told == "https" else "http"

    @property
    def visitor(self) -> str:
        """The host that it came from; the one that a proxy on this machine had it from, which no
        other host can make us believe."""
        told = self.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return told[:HOST_CHARACTERS_MAX] if told and self.peer in _OWN_PEERS else self.peer

    def _forwarded(self, what: str) -> str:
        """What the client came by, as the first of the proxies has it."""
        return self.headers.get(f"x-forwarded-{what}", "").partition(",")[0].strip()


def parse(data: bytes) -> Head:
    """The head that these bytes are, with the empty line at its end. Raises RemoteException."""
    first, *rest = data[: -len(HEAD_END)].split(b"\r\n")
    if len(first) > LINE_BYTES_MAX:
        raise refused(f"the request line is longer than {LINE_BYTES_MAX} bytes", 414)
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        status = 505 if b"HTTP/" in first and b" HTTP/1." not in first else 400
        raise refused("not a request of HTTP/1.1", status)
    method, target, minor = match.groups()
    headers = _headers(rest)
    version = min(int(minor), 1)
    for name in ("host", "x-forwarded-host"):
        told = headers.get(name, "").partition(",")[0].strip()
        if told and not _AUTHORITY.fullmatch(told):
            raise refused(f"the header {name} names no host")
    if version and "host" not in headers:
        raise refused("the header Host is missing")
    options = _options(headers)
    return Head(
        method.decode("ascii"),
        _path_and_query(target),
        headers,
        _length(headers, version),
        bool(version) and "close" not in options,
        _expects(headers, version),
        version,
    )


def _path_and_query(target: bytes) -> bytes:
    """What a target asks for, with or without scheme and host in front. It has a slash, since one
    without means another path to a proxy that guards some than it does to us."""
    if target[:1] == b"/" or target == b"*":
        return target
    found, count = _ABSOLUTE.subn(b"", target, 1)
    if not count or found[:1] not in (b"", b"/", b"?"):
        raise refused("the target of the request is no path")
    return found if found[:1] == b"/" else b"/" + found


def host_of(authority: str) -> str:
    """The host of `host:port`, in small letters, an IPv6 address in its brackets."""
    match = _AUTHORITY.fullmatch(authority)
    return match["host"].lower() if match else ""


def _with_port(host: str, port: str, scheme: str) -> str:
    """A host with the port that it is told without, unless that is the usual one."""
    if port == _USUAL_PORTS[scheme] or not (_NO_PORT.fullmatch(host) and _PORT.fullmatch(port)):
        return host
    return f"{host}:{port}"


def _headers(lines: List[bytes]) -> Dict[str, str]:
    if len(lines) > HEADERS_MAX:
        raise refused(f"more than {HEADERS_MAX} headers", 431)
    headers: Dict[str, str] = {}
    for line in lines:
        match = HEADER.fullmatch(line)
        if match is None:
            raise refused("a header is no header")
        name = match[1].decode("ascii").lower()
        value = match[2].strip(b" \t").decode("latin-1")
        if name in headers:
            if name in _ONCE:
                raise refused(f"the header {name} comes twice")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _options(headers: Dict[str, str]) -> FrozenSet[str]:
    words = headers.get("connection", "").lower().split(",")
    return frozenset(word.strip() for word in words)


def _length(headers: Dict[str, str], version: int) -> Optional[int]:
    coding, length = headers.get("transfer-encoding"), headers.get("content-length", "0")
    if coding is not None:
        if not version or "content-length" in headers:
            raise refused("a body has one length, and only HTTP/1.1 has chunks")
        if coding.lower() != "chunked":
            raise refused("of transfer encodings only chunked is known", 501)
        return None
    if not (length.isascii() and length.isdigit()) or len(length) > _LENGTH_DIGITS_MAX:
        raise refused("Content-Length is no number of bytes")
    return int(length)


def _expects(headers: Dict[str, str], version: int) -> bool:
    expected = headers.get("expect")
    if expected is None:
        return False
    if expected.lower() != "100-continue":
        raise refused("nothing but 100-continue can be expected", 417)
    return bool(version)
