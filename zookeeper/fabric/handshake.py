"""The handshake on a stream: both sides of the exchange whose bytes `auth.py` defines."""

import os
import time
from typing import Optional, Tuple

from zookeeper.fabric import auth
from zookeeper.fabric.auth import (
    SECRET,
    SIMPLE,
    Caller,
    Credentials,
    Hello,
    Introduction,
    Keyring,
)
from zookeeper.fabric.errors import AuthenticationFailed, Unavailable
from zookeeper.fabric.identity import ANONYMOUS, Principal
from zookeeper.fabric.moments import now
from zookeeper.fabric.settings import Settings
from zookeeper.fabric.stream import Stream


def credentials_of(
    settings: Settings, principal: Principal, assumed: bool = False
) -> Credentials:
    """How this process introduces itself, and checks others, under the cluster's settings.

    One that is only `assumed` to be this principal is whom its key file names. Raises
    SettingsError when it has no key and needs one.
    """
    if settings.security.mode != SECRET:
        return Credentials(principal)
    # In mode `simple` nobody waits for what reads keys.
    from zookeeper.fabric.credentials import key_credentials

    return key_credentials(settings, principal, assumed)


def greet(
    stream: Stream,
    introduction: Introduction,
    server_name: str,
    deadline: float,
    binding: bytes = b"",
) -> None:
    """The client's side. Closes the stream and raises AuthenticationFailed on any mismatch.

    `server_name` is `role@host:port` as dialled: the server must prove that it is that one, so
    that a proof made for it is worth nothing to another server; `binding` tells the certificate
    that it showed, if any.
    """
    try:
        _greet(stream, introduction, server_name, deadline, binding)
    except AuthenticationFailed:
        stream.close()
        raise


def _greet(
    stream: Stream,
    introduction: Introduction,
    server_name: str,
    deadline: float,
    binding: bytes,
) -> None:
    mode, principal, key, key_id, issued = introduction
    hello = Hello(mode, os.urandom(auth.NONCE_BYTES), str(principal), key_id, issued)
    stream.write(auth.encode_hello(hello))
    nonce, name = _receive_challenge(stream, deadline)
    if name.partition("@")[0] != server_name.partition("@")[0]:
        raise AuthenticationFailed(f"{stream.peer} says that it is {name}")
    if mode == SECRET:
        if name != server_name:
            raise AuthenticationFailed(f"{stream.peer} says that it is {name}")
        stream.write(auth.client_proof(key, hello, nonce, name, binding))
        proof, _ = _receive_challenge(stream, deadline)
        auth.check_proof(auth.server_proof(key, hello, nonce, name, binding), proof, name)


def _receive_challenge(stream: Stream, deadline: float) -> Tuple[bytes, str]:
    head = stream.read_by(auth.CHALLENGE_HEAD.size, deadline)
    return auth.decode_challenge(head, stream.read_by(auth.challenge_tail_bytes(head), deadline))


def welcome(
    stream: Stream,
    keyring: Optional[Keyring],
    server_name: str,
    handshake_seconds: float,
    silent_seconds: float,
    binding: bytes = b"",
) -> Optional[Caller]:
    """The server's side: who the client is, or None when it left without a word.

    Without a keyring it is of mode `simple`.
    A client of mode `simple` may be silent for `silent_seconds` first (a person at a stock RPyC
    prompt); from its first byte on, and always in mode `secret`, the whole handshake must be over
    in `handshake_seconds`. Raises AuthenticationFailed.
    """
    simple = keyring is None
    deadline = time.monotonic() + (silent_seconds if simple else handshake_seconds)
    first = stream.peek(deadline)
    if not first:
        return None
    if simple and first != auth.MAGIC[SIMPLE][:1]:
        return Caller(ANONYMOUS)
    if simple:
        deadline = time.monotonic() + handshake_seconds
    try:
        return _welcome(stream, keyring, server_name, deadline, binding)
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
    stream: Stream,
    keyring: Optional[Keyring],
    server_name: str,
    deadline: float,
    binding: bytes,
) -> Caller:
    head = stream.read_by(auth.HELLO_HEAD.size, deadline)
    hello = auth.decode_hello(head, stream.read_by(auth.hello_tail_bytes(head), deadline))
    own_mode = SIMPLE if keyring is None else SECRET
    if hello.mode != own_mode:
        raise AuthenticationFailed(
            f"{server_name} runs in mode {own_mode}, the client in mode {hello.mode}: "
            "set [security] mode alike everywhere"
        )
    nonce = os.urandom(auth.NONCE_BYTES)
    stream.write(auth.encode_challenge(nonce, server_name))
    if keyring is not None:
        key = keyring.key_of(hello, now())
        proof = stream.read_by(auth.PROOF_BYTES, deadline)
        expected = auth.client_proof(key, hello, nonce, server_name, binding)
        auth.check_proof(expected, proof, hello.principal)
        # The same form as the challenge, so that a refusal fits in its place.
        answer = auth.server_proof(key, hello, nonce, server_name, binding)
        stream.write(auth.encode_challenge(answer, server_name))
    return Caller(Principal.parse(hello.principal), hello.key_id, hello.issued)
