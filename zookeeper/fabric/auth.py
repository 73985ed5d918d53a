"""Who is at the other end: keys and the handshake's bytes, as pure functions.

Theory of operation. Before the first RPyC byte of a connection:

    client → server   hello:      magic, mode, nonce, principal
    server → client   challenge:  status, nonce, server name (or a refusal, in words)
    client → server   proof:      HMAC(key, "client", transcript)      } mode `secret` only
    server → client   proof:      HMAC(key, "server", transcript)      }   (or a refusal)

The transcript binds mode, both nonces, the principal, and the server's own name, so that a proof
cannot be replayed, reflected (the labels differ), or relayed to another server (the client knows
the name of the server that it dialled). Nothing secret crosses the wire. In mode `simple` the
principal is what the client says: no security, for one trusted machine.

The design is the one of challenge-response in RFC 5802 (SCRAM) without passwords: keys are 32
random bytes. Fields have fixed or bounded sizes, so that a stranger costs a few hundred bytes.
"""

import struct
from typing import NamedTuple, Tuple

from zookeeper.fabric.errors import AuthenticationFailed
from zookeeper.fabric.identity import Principal

SIMPLE = "simple"
SECRET = "secret"
MODES = (SIMPLE, SECRET)

MAGIC = b"PyHDFS\x00\x01"
NONCE_BYTES = 32
PROOF_BYTES = NONCE_BYTES  # Either fits in the same message.
NAME_BYTES_MAX = 200

HELLO_HEAD = struct.Struct(f"!8sB{NONCE_BYTES}sB")
CHALLENGE_HEAD = struct.Struct(f"!B{NONCE_BYTES}sB")

_ACCEPTED, _REFUSED = 0, 1


class Credentials(NamedTuple):
    """How this process introduces itself, and with which key (empty in mode `simple`)."""

    mode: str
    principal: Principal
    key: bytes


class Hello(NamedTuple):
    """The client's first message; the principal as the client writes it, for that is proved."""

    mode: str
    nonce: bytes
    principal: str


def encode_hello(hello: Hello) -> bytes:
    """The bytes of a hello; the principal must fit in NAME_BYTES_MAX bytes."""
    principal = _encode_name(hello.principal)
    mode = MODES.index(hello.mode)
    return HELLO_HEAD.pack(MAGIC, mode, hello.nonce, len(principal)) + principal


def hello_tail_bytes(head: bytes) -> int:
    """How many bytes follow a hello's head; raises AuthenticationFailed on a foreign one."""
    magic, mode, _, size = HELLO_HEAD.unpack(head)
    if magic != MAGIC or mode >= len(MODES) or size > NAME_BYTES_MAX:
        raise AuthenticationFailed("the peer does not speak this version of the handshake")
    return size


def decode_hello(head: bytes, tail: bytes) -> Hello:
    """The reverse of `encode_hello`, from its two parts."""
    _, mode, nonce, _ = HELLO_HEAD.unpack(head)
    return Hello(MODES[mode], nonce, _decode_name(tail))


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


def client_proof(key: bytes, hello: Hello, server_nonce: bytes, server_name: str) -> bytes:
    """What only a client that holds the key can send."""
    return _proof(key, b"client", hello, server_nonce, server_name)


def server_proof(key: bytes, hello: Hello, server_nonce: bytes, server_name: str) -> bytes:
    """What only a server that holds the key can answer."""
    return _proof(key, b"server", hello, server_nonce, server_name)


def check_proof(expected: bytes, received: bytes, peer: str) -> None:
    """Compare in constant time (CVE-2014-0006 was a `==`); raises AuthenticationFailed."""
    import hmac

    if not hmac.compare_digest(expected, received):
        raise AuthenticationFailed(f"{peer} does not hold this cluster's key")


def _proof(key: bytes, label: bytes, hello: Hello, nonce: bytes, server_name: str) -> bytes:
    # In mode `simple` nobody waits for the library of ciphers.
    import hashlib
    import hmac

    fields = (
        MAGIC,
        label,
        hello.mode.encode("ascii"),
        _encode_name(server_name),
        _encode_name(hello.principal),
        hello.nonce,
        nonce,
    )
    # Each field carries its length, so that no two transcripts are the same bytes.
    transcript = b"".join(struct.pack("!I", len(field)) + field for field in fields)
    return hmac.new(key, transcript, hashlib.sha256).digest()


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
