"""The chain of edits: the digest of each covers its text, and the digest of the one before it.

So two logs that agree on the digest of one edit agree on all before it.
"""

import hashlib
from typing import Iterable, Iterator

from metadata_service.quorum import Place

_DIGEST_BYTES = 16


def following(digest: str, line: str) -> str:
    """The digest of the edit with this text, behind the edit with that digest."""
    text = f"{digest}\n{line}".encode("ascii")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def places(behind: Place, lines: Iterable[str]) -> Iterator[Place]:
    """Where a log stands after each of these edits, which follow that place."""
    txid, digest = behind
    for line in lines:
        txid, digest = txid + 1, following(digest, line)
        yield Place(txid, digest)
