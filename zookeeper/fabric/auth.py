"""Who is at the other end: the handshake's bytes and what they prove, as pure functions.

Theory of operation. Before the first RPyC byte of a connection:

    client → server   hello:      magic, mode, nonce, principal; in mode `secret` which key
    server → client   challenge:  status, nonce, server name (or a refusal, in words)
    client → server   proof:      HMAC(key, "client", transcript)      } mode `secret` only
    server → client   proof:      HMAC(key, "server", transcript)      }   (or a refusal)

The key is the caller's for this server (`keys.py`): the server makes it anew from its own, from the
principal, and from the moment of issue that the hello tells. The transcript binds mode, key, both
nonces, the principal, the server's own name, and its certificate where there is one, so that a
proof cannot be replayed, reflected (the labels differ), or relayed to another server (the client
knows the name of the server that it dialled). Nothing secret crosses the wire. In mode `simple` the
principal is what the client says: no security, for one trusted machine; its bytes are those of all
releases.

The design is the one of challenge-response in RFC 5802 (SCRAM) without passwords: keys are 32
random bytes. Fields have fixed or bounded sizes, so that a stranger costs a few hundred bytes.
"""

import math
import struct
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Tuple

from zookeeper.fabric.errors import AuthenticationFailed
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.keys import CLOCK_SKEW_SECONDS, KEY_ID_BYTES, caller_key

SIMPLE = "simple"
SECRET = "secret"
MODES = (SIMPLE, SECRET)

_MAGIC_START = b"PyHDFS\x00"
MAGIC = {SIMPLE: _MAGIC_START + b"\x01", SECRET: _MAGIC_START + b"\x02"}
NONCE_BYTES = 32
PROOF_BYTES = NONCE_BYTES  # Either fits in the same message.
NAME_BYTES_MAX = 200
NO_KEY_ID = bytes(KEY_ID_BYTES)

HELLO_HEAD = struct.Struct(f"!8sB{NONCE_BYTES}sB")
KEY_HEAD = struct.Struct(f"!{KEY_ID_BYTES}sQ")
CHALLENGE_HEAD = struct.Struct(f"!B{NONCE_BYTES}sB")

_ACCEPTED, _REFUSED = 0, 1


class Introduction(NamedTuple):
    """As whom a process introduces itself at one dial, and the key that proves it: which one, and
    when it was issued. In mode `simple` there is none."""

    mode: str
    principal: Principal
    key: bytes = b""
    key_id: bytes = NO_KEY_ID
    issued: int = 0

    def __repr__(self) -> str:
        return f"<Introduction of {self.principal}, key {self.key_id.hex()}>"


class Caller(NamedTuple):
    """Who got through the handshake, and with which key."""

    principal: Principal
    key_id: bytes = NO_KEY_ID
    issued: int = 0


class Hello(NamedTuple):
    """The client's first message; the principal as the client writes it, for that is proved."""

    mode: str
    nonce: bytes
    principal: str
    key_id: bytes = NO_KEY_ID
    issued: int = 0


class Keyring:
    """With what a server checks its callers.

    `server_keys` are its own, by the id of the cluster key that each comes from. `revoked` tells
    for a principal before which second of issue his keys are void; `math.inf` for all of them. A
    key that was issued more than `seconds` ago is void, too. `nobodys_key` is random.
    """

    def __init__(
        self,
        server_keys: Mapping[bytes, bytes],
        revoked: Mapping[str, float],
        nobodys_key: bytes,
        seconds: float = math.inf,
    ) -> None:
        self._server_keys = server_keys
        self._revoked = revoked
        self._nobodys_key = nobodys_key
        self._seconds = seconds

    def key_of(self, hello: Hello, now: float) -> bytes:
        """The key that proves a hello, at `now` (seconds since 1970).

        It is one that nobody has when the hello is not to be proved at all: so strangers, the
        revoked and the late are refused in the same way, and after the same time, as who has a
        wrong key; and learn nothing.
        """
        server_key = self._server_keys.get(hello.key_id, self._nobodys_key)
        if self.revokes(hello.principal, hello.issued) or not self._is_fresh(hello.issued, now):
            server_key = self._nobodys_key
        return caller_key(server_key, hello.principal, hello.issued)

    def revokes(self, principal: str, issued: int) -> bool:
        """Whether this principal's key of that moment is void, and what he does is to end now."""
        return issued < self._revoked.get(principal, 0)

    def server_key(self, key_id: bytes) -> Optional[bytes]:
        """This server's own key that comes from a cluster key; None when that is not valid."""
        return self._server_keys.get(key_id)

    def _is_fresh(self, issued: int, now: float) -> bool:
        if self._seconds == math.inf:
            return True
        return -CLOCK_SKEW_SECONDS <= now - issued <= self._seconds + CLOCK_SKEW_SECONDS


class Credentials:
    """How a process introduces itself, and how it checks who introduces himself to it.

    These are those of mode `simple`: names, which are believed.
    """

    mode = SIMPLE
    tls: Any = None
    """The Tls (tls.py) of its connections over the network; None where they are plain."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def to(self, server: str, address: Tuple[str, int]) -> Iterator[Introduction]:
        """What to say to the server of this role at an Address: one after the other, until one is
        good."""
        yield Introduction(self.mode, self.principal)

    def keyring(self) -> Optional[Keyring]:
        """With what to check callers now; None in mode `simple`. Another object when it changed."""
        return None

    def read_again(self) -> None:
        """Look at what they come from now; raises SettingsError when that is not right."""

    def cluster_key(self) -> bytes:
        """From what keys and tokens for others are made now; empty for who makes none."""
        return b""


def encode_hello(hello: Hello) -> bytes:
    """The bytes of a hello; the principal must fit in NAME_BYTES_MAX bytes."""
    principal, mode = _encode_name(hello.principal), hello.mode
    head = HELLO_HEAD.pack(MAGIC[mode], MODES.index(mode), hello.nonce, len(principal))
    key = KEY_HEAD.pack(hello.key_id, hello.issued) if mode == SECRET else b""
    return head + key + principal


def hello_tail_bytes(head: bytes) -> int:
    """How many bytes follow a hello's head; raises AuthenticationFailed on a foreign one."""
    magic, mode, _, size = HELLO_HEAD.unpack(head)
    if mode >= len(MODES) or magic != MAGIC[MODES[mode]] or size > NAME_BYTES_MAX:
        raise AuthenticationFailed("the peer does not speak this version of the handshake")
    return int(size) + (KEY_HEAD.size if MODES[mode] == SECRET else 0)


def decode_hello(head: bytes, tail: bytes) -> Hello:
    """The reverse of `encode_hello`, from its two parts."""
    _, mode, nonce, _ = HELLO_HEAD.unpack(head)
    if MODES[mode] == SIMPLE:
        return Hello(SIMPLE, nonce, _decode_name(tail))
    key_id, issued = KEY_HEAD.unpack_from(tail)
    return Hello(SECRET, nonce, _decode_name(tail[KEY_HEAD.size :]), key_id, issued)


def begins_tls(first: bytes) -> bool:
    """Whether what begins so is TLS: neither a hello of ours nor an answer to one does."""
    return b"\x14" <= first[:1] <= b"\x17"


def encode_challenge(nonce: bytes, server_name: str) -> bytes:
    """The server's answer to an acceptable hello."""
    name = _encode_name(server_name)
    return CHALLENGE_HEAD.pack(_ACCEPTED, nonce, len(name)) + name


def encode_refusal(reason: str) -> bytes:
    """The server's answer to a hello that it does not accept, in words for a person."""
    text = reason.encode("utf-8", "replace")[:NAME_BYTES_MAX]
    return CHALLENGE_HEAD.pack(_REFUSED, bytes(NONCE_BYTES), len(text)) + text


def challenge_tail_bytes(head: bytes) -> int:
    """How many bytes follow a challenge's head."""
    size = CHALLENGE_HEAD.unpack(head)[2]
    if size > NAME_BYTES_MAX:
        raise AuthenticationFailed("the server's answer to the handshake is malformed")
    return size


def decode_challenge(head: bytes, tail: bytes) -> Tuple[bytes, str]:
    """(the server's nonce, the server's name); raises AuthenticationFailed on a refusal."""
    status, nonce, _ = CHALLENGE_HEAD.unpack(head)
    if status != _ACCEPTED:
        words = tail.decode("utf-8", "replace")
        # They are a stranger's words, and may end on a terminal: no escape sequences.
        raise AuthenticationFailed("".join(c if c.isprintable() else "?" for c in words))
    return nonce, _decode_name(tail)


def client_proof(
    key: bytes, hello: Hello, server_nonce: bytes, server_name: str, binding: bytes = b""
) -> bytes:
    """What only a client that holds the key can send. `binding` tells the server's certificate."""
    return _proof(key, b"client", hello, server_nonce, server_name, binding)


def server_proof(
    key: bytes, hello: Hello, server_nonce: bytes, server_name: str, binding: bytes = b""
) -> bytes:
    """What only a server that holds the key can answer."""
    return _proof(key, b"server", hello, server_nonce, server_name, binding)


def check_proof(expected: bytes, received: bytes, peer: str) -> None:
    """Compare in constant time (CVE-2014-0006 was a `==`); raises AuthenticationFailed."""
    import hmac

    if not hmac.compare_digest(expected, received):
        raise AuthenticationFailed(f"{peer} does not hold a valid key of this cluster")


def _proof(
    key: bytes, label: bytes, hello: Hello, nonce: bytes, server_name: str, binding: bytes
) -> bytes:
    # In mode `simple` nobody waits for the library of ciphers.
    import hmac

    fields = (
        MAGIC[hello.mode],
        label,
        hello.mode.encode("ascii"),
        KEY_HEAD.pack(hello.key_id, hello.issued),
        _encode_name(server_name),
        _encode_name(hello.principal),
        hello.nonce,
        nonce,
        binding,
    )
    # Each field carries its length, so that no two transcripts are the same bytes.
    transcript = b"".join(struct.pack("!I", len(field)) + field for field in fields)
    return hmac.digest(key, transcript, "sha256")


def _encode_name(name: str) -> bytes:
    data = name.encode("utf-8", "replace")
    _check_name(name, len(data))
    return data


def _decode_name(data: bytes) -> str:
    try:
        name = data.decode("utf-8")
    except UnicodeDecodeError:
        raise AuthenticationFailed("the peer's name is not UTF-8") from None
    _check_name(name, len(data))
    return name


def _check_name(name: str, size: int) -> None:
    # Names end in logs and listings, so they are of one line and nothing invisible.
    if not 0 < size <= NAME_BYTES_MAX or not name.isprintable():
        raise AuthenticationFailed(
            f"a name has 1 to {NAME_BYTES_MAX} bytes of printable text, this one {size} bytes"
        )
