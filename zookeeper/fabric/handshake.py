"""The handshake on a stream: both sides of the exchange whose bytes `auth.py` defines."""

import os
import time
from typing import Optional, Tuple

from zookeeper.fabric import auth
from zookeeper.fabric.auth import SECRET, SIMPLE, Credentials, Hello
from zookeeper.fabric.errors import AuthenticationFailed, Unavailable
from zookeeper.fabric.identity import ANONYMOUS, Principal
from zookeeper.fabric.settings import Settings, read_key
from zookeeper.fabric.stream import Stream


def credentials_of(settings: Settings, principal: Principal) -> Credentials:
    """How this process introduces itself under the cluster's security settings."""
    mode = settings.security.mode
    return Credentials(mode, principal, read_key(settings) if mode == SECRET else b"")


def greet(stream: Stream, credentials: Credentials, server_name: str, deadline: float) -> None:
    """The client's side. Closes the stream and raises AuthenticationFailed on any mismatch.

    `server_name` is `role@host:port` as dialled: the server must prove that it is that one, so
    that a proof made for it is worth nothing to another server.
    """
    try:
        _greet(stream, credentials, server_name, deadline)
    except AuthenticationFailed:
        stream.close()
        raise


def _greet(stream: Stream, credentials: Credentials, server_name: str, deadline: float) -> None:
    own_name = str(credentials.principal)
    hello = Hello(credentials.mode, os.urandom(auth.NONCE_BYTES), own_name)
    stream.write(auth.encode_hello(hello))
    nonce, name = _receive_challenge(stream, deadline)
    if name.partition("@")[0] != server_name.partition("@")[0]:
        raise AuthenticationFailed(f"{stream.peer} says that it is {name}")
    if credentials.mode == SECRET:
        if name != server_name:
            raise AuthenticationFailed(f"{stream.peer} says that it is {name}")
        stream.write(auth.client_proof(credentials.key, hello, nonce, name))
        proof, _ = _receive_challenge(stream, deadline)
        auth.check_proof(auth.server_proof(credentials.key, hello, nonce, name), proof, name)


def _receive_challenge(stream: Stream, deadline: float) -> Tuple[bytes, str]:
    head = stream.read_by(auth.CHALLENGE_HEAD.size, deadline)
    return auth.decode_challenge(head, stream.read_by(auth.challenge_tail_bytes(head), deadline))


def welcome(
    stream: Stream,
    credentials: Credentials,
    server_name: str,
    handshake_seconds: float,
    silent_seconds: float,
) -> Optional[Principal]:
    """The server's side: the client's principal, or None when it left without a word.

    A client of mode `simple` may be silent for `silent_seconds` first (a person at a stock RPyC
    prompt); from its first byte on, and always in mode `secret`, the whole handshake must be over
    in `handshake_seconds`. Raises AuthenticationFailed.
    """
    simple = credentials.mode == SIMPLE
    deadline = time.monotonic() + (silent_seconds if simple else handshake_seconds)
    first = stream.peek(deadline)
    if not first:
        return None
    if simple and first != auth.MAGIC[:1]:
        return ANONYMOUS
    if simple:
        deadline = time.monotonic() + handshake_seconds
    try:
        return _welcome(stream, credentials, server_name, deadline)
    except AuthenticationFailed as refusal:
        _refuse(stream, refusal)
        raise


def _refuse(stream: Stream, refusal: AuthenticationFailed) -> None:
    try:
        stream.write(auth.encode_refusal(refusal.message))
        stream.linger_and_close(0.2)
    except Unavailable:
        pass  # It did not stay to hear it; the refusal itself is what the caller must see.


def _welcome(
    stream: Stream, credentials: Credentials, server_name: str, deadline: float
) -> Principal:
    head = stream.read_by(auth.HELLO_HEAD.size, deadline)
    hello = auth.decode_hello(head, stream.read_by(auth.hello_tail_bytes(head), deadline))
    if hello.mode != credentials.mode:
        raise AuthenticationFailed(
            f"{server_name} runs in mode {credentials.mode}, the client in mode {hello.mode}: "
            "set [security] mode alike everywhere"
        )
    nonce = os.urandom(auth.NONCE_BYTES)
    stream.write(auth.encode_challenge(nonce, server_name))
    if credentials.mode == SECRET:
        key = credentials.key
        proof = stream.read_by(auth.PROOF_BYTES, deadline)
        expected = auth.client_proof(key, hello, nonce, server_name)
        auth.check_proof(expected, proof, hello.principal)
        # The same form as the challenge, so that a refusal fits in its place.
        answer = auth.server_proof(key, hello, nonce, server_name)
        stream.write(auth.encode_challenge(answer, server_name))
    return Principal.parse(hello.principal)
