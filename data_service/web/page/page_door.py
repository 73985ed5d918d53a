"""The door to the page: a table of files of the package, read once.

No path of a request ever names a file of the disk: it is looked up among the names that were there
at the start. What the page may do is told to the browser with each of them: nothing from elsewhere,
no code but that of the table, no markup made of text, in nobody's frame.
"""

import gzip
import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, NamedTuple

from data_service.web.doors import require_method
from data_service.web.exchange.answers import Answer
from data_service.web.exchange.remote_exceptions import nothing_at
from data_service.web.exchange.request import Request

ASSETS = Path(__file__).parent / "assets"
INDEX = "index.html"
BELOW = "/page/"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

POLICY = "; ".join([
    "default-src 'self'",
    # Previews of pictures are made of what the page has fetched already.
    "img-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
])  # fmt: skip

_SAFETY = (
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class _Asset(NamedTuple):
    content: bytes
    packed: bytes
    content_type: str
    tag: str


class PageDoor:
    """Answers requests for `/` and for the files below BELOW, which `folder` held at the start."""

    def __init__(self, folder: Path = ASSETS) -> None:
        self._assets: Dict[str, _Asset] = {
            path.name: _asset(path) for path in folder.iterdir() if path.suffix in CONTENT_TYPES
        }

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        require_method(request, "GET")
        path = request.path
        name = path[len(BELOW) :] if path.startswith(BELOW) else INDEX if path == "/" else ""
        asset = self._assets.get(name)
        if asset is None:
            raise nothing_at(path)
        told = request.head.headers
        headers = (("ETag", asset.tag), *_SAFETY)
        if asset.tag in _words(told.get("if-none-match", "")):
            return Answer(304, headers=headers)
        if "gzip" in _words(told.get("accept-encoding", "")):
            packed = (*headers, ("Content-Encoding", "gzip"))
            return Answer(200, asset.packed, asset.content_type, headers=packed)
        return Answer(200, asset.content, asset.content_type, headers=headers)


def _asset(path: Path) -> _Asset:
    content = path.read_bytes()
    # A weak tag, for it is that of the content as it is and of the packed one.
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _Asset(content, gzip.compress(content, mtime=0), CONTENT_TYPES[path.suffix], tag)


def _words(told: str) -> List[str]:
    """The words of a header that is a list."""
    return [word.strip() for word in told.split(",")]
