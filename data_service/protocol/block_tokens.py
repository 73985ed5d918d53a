"""Block tokens: what one caller may do to one block, in the namenode's words.

Theory of operation. A datanode knows neither files nor users, so what opens a block is a token: the
namenode makes it for exactly what its bearer may do, and nobody has to remember it. Its bytes are
the grant, and behind that a MAC for each datanode that it is for, under the key of that one alone:
so none of them can make what another believes, and who opens all that one of them holds has gained
nothing at the others. The MAC is BLAKE2b with a key (RFC 7693): OpenSSL's HMAC takes three times as
long, and lets other threads run meanwhile, whom a call then waits for.

A token is no secret that opens anything by itself. It is worth something only to its bearer, who
proved his name when he connected, and, when a block is written, to each datanode of the pipeline
towards the next one. The pipeline stands in it: a datanode connects to no address that a caller
chose.
"""

import struct
from functools import lru_cache
from typing import Annotated, Callable, NamedTuple, Optional, Sequence, Tuple

from data_service.protocol.blocks import Block
from zookeeper.fabric import keys
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied, TokenExpired
from zookeeper.fabric.identity import DATA_NODE, server_at
from zookeeper.fabric.kinds import Length

READ, WRITE, COPY = "r", "w", "c"

TOKEN_BYTES_MAX = 256 << 10
"""Of 512 datanodes with names as long as names can be; three with short ones take 200 bytes."""

Token = Annotated[bytes, Length(0, TOKEN_BYTES_MAX)]
"""A sealed grant; nothing in mode `simple`, where everybody is believed."""

SKEW = 0.5
"""How much of its life a token is good beyond it, because clocks differ: of a long one, less."""

MAC_BYTES = 16

_VERSION = 1
_FOR = "\t"
"""Between the bearer and whom he acts for."""

_HEAD = struct.Struct(f"!B{keys.KEY_ID_BYTES}scQQQQBI")
_KEYS_MAX = 4096


class Grant(NamedTuple):
    """What a token says. `bearer` is who may present it, as text; `block` is the one that it opens,
    with the most bytes that may be written; `targets` are the datanodes (HOST:PORT) that it is for,
    a pipeline in its order. `key_id` names the cluster key that it was sealed under; `digest` is
    that of what may be written, where that is known; `acted_for` is the principal in whose name the
    bearer does it, empty where that is his own."""

    mode: str
    bearer: str
    block: Block
    targets: Tuple[str, ...]
    expires_ms: int
    key_id: bytes = b""
    digest: bytes = b""
    acted_for: str = ""

    @property
    def user(self) -> str:
        """Whose share of a datanode it takes."""
        return self.acted_for or self.bearer


def seal(grant: Grant, cluster_key: bytes) -> bytes:
    """The token of a grant, by who holds the cluster key: the namenode.

    Raises InvalidArgument for a name that no text of one line is.
    """
    who = f"{grant.bearer}{_FOR}{grant.acted_for}" if grant.acted_for else grant.bearer
    texts = "\n".join((who, *grant.targets)).encode("utf-8", "replace")
    if texts.count(b"\n") != len(grant.targets) or who.count(_FOR) != bool(grant.acted_for):
        raise InvalidArgument("the name of a bearer and of a datanode is one line without tabs")
    payload = _HEAD.pack(
        _VERSION, _key_id(cluster_key), grant.mode.encode("ascii"), *grant.block,
        grant.expires_ms, len(grant.digest), len(texts),
    ) + grant.digest + texts  # fmt: skip
    return payload + b"".join([
        _mac(_token_key(cluster_key, target), payload) for target in grant.targets
    ])


def unseal(
    token: bytes, target: str, server_key_of: Callable[[bytes], Optional[bytes]]
) -> Grant:
    """The grant of a token, as the datanode `target` (HOST:PORT) finds it under its own MAC.

    `server_key_of` gives this datanode's key under the cluster key with that id, or None. Raises
    PermissionDenied for everything that the namenode did not make for this datanode; TokenExpired
    when that key is not valid here: while a cluster's key is replaced, not any more, or not yet.
    """
    grant, payload_bytes = _taken_apart(token)
    server_key = server_key_of(grant.key_id)
    if target not in grant.targets:
        raise PermissionDenied("this token is not for this datanode")
    if server_key is None:
        raise TokenExpired("the key under which this token was made is not valid here")
    place = payload_bytes + MAC_BYTES * grant.targets.index(target)
    expected = _mac(_own_token_key(server_key), token[:payload_bytes])
    if not _same(expected, token[place : place + MAC_BYTES]):
        raise PermissionDenied("this token was not made by this cluster's namenode")
    return grant


def presenter(grant: Grant, target: str) -> str:
    """Who may present a token to this one of its datanodes: the bearer; and to those behind the
    first one of a pipeline, the one before."""
    if grant.mode == READ or target == grant.targets[0]:
        return grant.bearer
    return str(server_at(DATA_NODE, grant.targets[grant.targets.index(target) - 1]))


def behind(grant: Grant, target: str) -> Sequence[str]:
    """The datanodes that a block goes on to from this one."""
    return grant.targets[grant.targets.index(target) + 1 :]


def _taken_apart(token: bytes) -> Tuple[Grant, int]:
    """What a token claims to grant, and how many of its bytes say that."""
    if len(token) < _HEAD.size:
        raise PermissionDenied("a token is needed here" if not token else "this is no token")
    version, key_id, mode, *block, expires_ms, digest_bytes, text_bytes = _HEAD.unpack_from(token)
    texts_at = _HEAD.size + digest_bytes
    end = texts_at + text_bytes
    who, *targets = token[texts_at:end].decode("utf-8", "replace").split("\n")
    if version != _VERSION or len(token) != end + MAC_BYTES * len(targets):
        raise PermissionDenied("this is no token")
    digest = token[_HEAD.size : texts_at]
    bearer, _, acted_for = who.partition(_FOR)
    grant = Grant(
        mode.decode("latin-1"), bearer, Block(*block), tuple(targets), expires_ms, key_id, digest,
        acted_for,
    )  # fmt: skip
    return grant, end


# One key serves for very many tokens, and is not derived for each.
_key_id = lru_cache(maxsize=4)(keys.key_id)
_own_token_key = lru_cache(maxsize=4)(keys.token_key)


@lru_cache(maxsize=_KEYS_MAX)
def _token_key(cluster_key: bytes, target: str) -> bytes:
    return keys.token_key(keys.server_key(cluster_key, str(server_at(DATA_NODE, target))))


def _mac(key: bytes, payload: bytes) -> bytes:
    # In mode `simple` nobody waits for the library of ciphers.
    import hashlib

    return hashlib.blake2b(payload, digest_size=MAC_BYTES, key=key).digest()


def _same(expected: bytes, presented: bytes) -> bool:
    import hmac

    return hmac.compare_digest(expected, presented)
