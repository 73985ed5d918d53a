"""Delegation tokens: a user's word that who shows it may act for him, sealed by the namenode.

Theory of operation. A user who proved himself by his key can have such a token, and give it to a
job or a gateway, which has no key of his. Its text says whose it is, who may renew it, and until
when at most; behind that stands a MAC under a key of the namenode's. Until when it is good just
now, and whether it was cancelled, only the namespace's record knows: so a token is worth nothing
without that row, whoever made it. It is a secret: who has its text has its owner's rights.
"""

import base64
import hmac
import re
import struct
from typing import Callable, NamedTuple, Optional, Tuple

from zookeeper.fabric import keys
from zookeeper.fabric.errors import AuthenticationFailed

TOKEN_CHARACTERS_MAX = 1600
"""So that it fits into a cookie and a URL, with the longest names."""

NAME_BYTES_MAX = 200
"""Of each name in a token."""

_VERSION = "d1"
_HEAD = struct.Struct(f"!{keys.KEY_ID_BYTES}sQQQQHHH")
_MAC_BYTES = 32
_TEXT = re.compile(r"[0-9A-Za-z_-]+", re.ASCII)


class Delegation(NamedTuple):
    """What a token says. `owner` is the user who is acted for, `renewer` the one who may prolong
    it, `proxy` the principal who got it in the owner's place (empty: the owner himself). `number`
    tells it from all others of the namespace, `issued_ms` and `max_ms` since 1970 are when its life
    began and must end. `proved_at` is the second of issue of the key by which it was got, `key_id`
    names the cluster key that it is sealed under, in hexadecimal digits."""

    number: int
    owner: str
    renewer: str
    proxy: str
    issued_ms: int
    max_ms: int
    proved_at: int
    key_id: str


def seal(delegation: Delegation, server_key: bytes) -> str:
    """The token's text; its names have up to NAME_BYTES_MAX bytes each."""
    names = [name.encode("utf-8", "replace") for name in delegation[1:4]]
    payload = _HEAD.pack(
        bytes.fromhex(delegation.key_id), delegation.number, delegation.issued_ms,
        delegation.max_ms, delegation.proved_at, *map(len, names),
    ) + b"".join(names)  # fmt: skip
    return _text(payload + _mac(payload, server_key))


def unseal(text: str, server_key_of: Callable[[bytes], Optional[bytes]]) -> Delegation:
    """What a token says that this cluster's namenode made; AuthenticationFailed for every other.

    `server_key_of` gives the namenode's key under the cluster key with that id, or None.
    """
    payload, mac = _parts(text)
    server_key = server_key_of(payload[: keys.KEY_ID_BYTES])
    if server_key is None:
        raise AuthenticationFailed(
            "this delegation token was made under a key that is not valid here, or not any more: "
            "get another one"
        )
    if not hmac.compare_digest(_mac(payload, server_key), mac):
        raise AuthenticationFailed("this delegation token was not made by this cluster's namenode")
    return _decoded(payload)


def read(text: str) -> Delegation:
    """What a token says, whoever made it; AuthenticationFailed when it is none at all."""
    return _decoded(_parts(text)[0])


def _parts(text: str) -> Tuple[bytes, bytes]:
    """Payload and MAC."""
    if len(text) > TOKEN_CHARACTERS_MAX or not text.startswith(_VERSION):
        raise _no_token()
    body = text[len(_VERSION) :]
    if not _TEXT.fullmatch(body) or len(body) % 4 == 1:
        raise _no_token()
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    # Spare bits at the end would make several texts of one token.
    if len(data) < _HEAD.size + _MAC_BYTES or _text(data) != text:
        raise _no_token()
    return data[:-_MAC_BYTES], data[-_MAC_BYTES:]


def _decoded(payload: bytes) -> Delegation:
    key_id, number, issued_ms, max_ms, proved_at, *sizes = _HEAD.unpack_from(payload)
    if _HEAD.size + sum(sizes) != len(payload):
        raise _no_token()
    names, start = [], _HEAD.size
    for size in sizes:
        try:
            names.append(payload[start : start + size].decode("utf-8"))
        except UnicodeDecodeError:
            raise _no_token() from None
        start += size
    owner, renewer, proxy = names
    return Delegation(
        number, owner, renewer, proxy, issued_ms, max_ms, proved_at, key_id.hex()
    )


def _no_token() -> AuthenticationFailed:
    # It does not repeat what was shown, which may be nearly one.
    return AuthenticationFailed("this is no delegation token: it is cut, or was changed")


def _text(data: bytes) -> str:
    return _VERSION + base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _mac(payload: bytes, server_key: bytes) -> bytes:
    return hmac.digest(keys.delegation_key(server_key), payload, "sha256")
