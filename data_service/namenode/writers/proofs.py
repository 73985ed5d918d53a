"""Proofs that a file being written, and its blocks, were given to the client who presents them.

Theory of operation. A namenode that restarts knows of no file in progress: it believes what their
writers present. The numbers of files and blocks are in sequence and shown to many, so each is given
out with a *proof*: a MAC over it and over the client's name, which tells its user, under a secret
that only the record of the namespace holds. Nothing has to be remembered for it, and a proof that
another user or client presents is worth nothing.
"""

import hmac
from typing import Callable, Iterable

from data_service.namenode.namespace.commits import Commits
from data_service.protocol.files import Presented
from zookeeper.fabric.errors import PermissionDenied

PROOF_CHARACTERS = 32
"""128 bits in hexadecimal digits."""


class Proofs:
    """Gives out and checks proofs; `draw` gives a random number of so many bits."""

    def __init__(self, commits: Commits, draw: Callable[[int], int]) -> None:
        # Drawn before the operation that it serves, whose edit records a new secret.
        self._secret = commits.secret(draw)

    def of(self, client_id: str, file_id: int, block_id: int = 0) -> str:
        """The proof that a client was given a file, or one of the file's blocks."""
        told = f"{client_id}\0{file_id}\0{block_id}".encode()
        return hmac.new(self._secret, told, "sha256").hexdigest()[:PROOF_CHARACTERS]

    def check(
        self,
        client_id: str,
        file_id: int,
        proof: str,
        blocks: Iterable[Presented],
    ) -> None:
        """Raise PermissionDenied unless the file and each block were given to this client."""
        if not _same(proof, self.of(client_id, file_id)):
            raise PermissionDenied(f"inode {file_id} was not given to this client to write")
        for _, block, claim in blocks:
            if not _same(claim, self.of(client_id, file_id, block.block_id)):
                raise PermissionDenied(
                    f"{block.name} was not given to this client for inode {file_id}"
                )


def _same(presented: str, right: str) -> bool:
    return hmac.compare_digest(presented.encode("utf-8", "replace"), right.encode())
