"""A user's key to the namenode as one word, for who can say no more than a name and a password.

It is `w1` and then, in 64 letters, digits, `-` and `_`, which cluster key it comes from, the second
of its issue, and the key. So it fits into a URL and a header, and has no colon.
"""

import base64
import re
import struct

from zookeeper.fabric.errors import AuthenticationFailed
from zookeeper.fabric.keys import KEY_BYTES, KEY_ID_BYTES, CallerKey

_VERSION = "w1"
_FIELDS = struct.Struct(f"!{KEY_ID_BYTES}sQ{KEY_BYTES}s")
_CHARACTERS = len(_VERSION) + _FIELDS.size * 4 // 3
_WORD = re.compile(r"[0-9A-Za-z_-]+", re.ASCII)


def render(key: CallerKey) -> str:
    """The word for a key to the namenode."""
    fields = _FIELDS.pack(key.key_id, key.issued, key.key)
    return _VERSION + base64.urlsafe_b64encode(fields).decode("ascii")


def parse(word: str) -> CallerKey:
    """The reverse of `render`. Raises AuthenticationFailed, which does not repeat the word."""
    if len(word) != _CHARACTERS:
        raise AuthenticationFailed(
            f"found a web password of {len(word)} characters, expected {_CHARACTERS}: "
            "`issueKey --web` prints yours"
        )
    if not word.startswith(_VERSION) or not _WORD.fullmatch(word):
        raise AuthenticationFailed(
            f"found no web password, expected {_VERSION} and then letters, digits, - and _: "
            "`issueKey --web` prints yours"
        )
    key_id, issued, key = _FIELDS.unpack(base64.urlsafe_b64decode(word[len(_VERSION) :]))
    return CallerKey(key, key_id, issued)
