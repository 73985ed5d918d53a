"""The handshake on a stream: both sides of the exchange whose bytes `auth.py` defines."""

import os
import time
from typing import Any, Optional, Tuple

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
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    InvalidArgument,
    SettingsError,
    Unavailable,
)
from zookeeper.fabric.identity import ANONYMOUS, USER, Principal, certified
from zookeeper.fabric.moments import now
from zookeeper.fabric.settings import Settings
from zookeeper.fabric.stream import Stream


def credentials_of(
    settings: Settings, principal: Principal, assumed: bool = False
) -> Credentials:
    """How this process introduces itself, and checks others, under the cluster's settings.

    One that is only `assumed` to be this principal is whom its key file names. Raises
    SettingsError when it has no key or certificate and needs one.
    """
    security = settings.security
    if security.mode != SECRET:
        if security.tls:
            raise SettingsError(f"{settings.path}: found tls = yes in mode simple, expected mode = "
                                "secret: only a key proves who calls")
        return Credentials(principal)
    # Nobody waits for what he does not use: keys, and with them TLS.
    from zookeeper.fabric.credentials import key_credentials

    return _with_tls(settings, key_credentials(settings, principal, assumed))


def credentials_by_password(settings: Settings, user: str, password: str) -> Credentials:
    """How a user introduces himself whose key to the namenode came as a word. Raises
    AuthenticationFailed for what is none, InvalidArgument where nobody has keys."""
    if settings.security.mode != SECRET:
        raise InvalidArgument("in mode simple nobody has a key, so none can be shown")
    from zookeeper.fabric.credentials import PasswordCredentials

    return _with_tls(settings, PasswordCredentials(user, password))


def _with_tls(settings: Settings, credentials: Credentials) -> Credentials:
    if settings.security.tls:
        from zookeeper.fabric.tls import Tls

        credentials.tls = Tls(settings.security, credentials.principal.role)
    return credentials


def greet(
    stream: Stream, introduction: Introduction, server_name: str, deadline: float
) -> None:
    """The client's side. Closes the stream and raises AuthenticationFailed on any mismatch.

    `server_name` is `role@host:port` as dialled: the server must prove that it is that one, so
    that a proof made for it is worth nothing to another server, nor through the TLS of another.
    """
    try:
        _greet(stream, introduction, server_name, deadline)
    except AuthenticationFailed:
        stream.close()
        raise


def _greet(
    stream: Stream, introduction: Introduction, server_name: str, deadline: float
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
        stream.write(auth.client_proof(key, hello, nonce, name, stream.binding))
        proof, _ = _receive_challenge(stream, deadline)
        expected = auth.server_proof(key, hello, nonce, name, stream.binding)
        auth.check_proof(expected, proof, name)


def _receive_challenge(stream: Stream, deadline: float) -> Tuple[bytes, str]:
    head = stream.read_by(auth.CHALLENGE_HEAD.size, deadline)
    return auth.decode_challenge(head, stream.read_by(auth.challenge_tail_bytes(head), deadline))


def secure(stream: Stream, tls: Any, server_name: str, deadline: float) -> Stream:
    """The server's side of TLS, which comes before all else: the stream to go on with.

    Raises AuthenticationFailed, and tells a client that does not speak it.
    """
    first = stream.peek(deadline)
    if not first:
        raise Unavailable(f"{stream.peer} left without a word")
    if not auth.begins_tls(first):
        refusal = AuthenticationFailed(f"{server_name} speaks TLS only: set [security] tls = yes")
        _refuse(stream, refusal)
        raise refusal
    secured: Stream = tls.answer(stream, deadline)
    return secured


def welcome(
    stream: Stream,
    keyring: Optional[Keyring],
    server_name: str,
    handshake_seconds: float,
    silent_seconds: float,
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
    if simple and first != auth.MAGIC[SIMPLE][:1] and not auth.begins_tls(first):
        return Caller(ANONYMOUS)
    if simple:
        deadline = time.monotonic() + handshake_seconds
    try:
        return _welcome(stream, keyring, server_name, deadline)
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
    stream: Stream, keyring: Optional[Keyring], server_name: str, deadline: float
) -> Caller:
    head = stream.read_by(auth.HELLO_HEAD.size, deadline)
    hello = auth.decode_hello(head, stream.read_by(auth.hello_tail_bytes(head), deadline))
    own_mode = SIMPLE if keyring is None else SECRET
    if hello.mode != own_mode:
        raise AuthenticationFailed(
            f"{server_name} runs in mode {own_mode}, the client in mode {hello.mode}: "
            "set [security] mode alike everywhere"
        )
    principal, nonce = Principal.parse(hello.principal), os.urandom(auth.NONCE_BYTES)
    stream.write(auth.encode_challenge(nonce, server_name))
    if keyring is not None:
        key = keyring.key_of(hello, now())
        proof = stream.read_by(auth.PROOF_BYTES, deadline)
        expected = auth.client_proof(key, hello, nonce, server_name, stream.binding)
        auth.check_proof(expected, proof, hello.principal)
        _require_certificate(stream, principal)
        # The same form as the challenge, so that a refusal fits in its place.
        answer = auth.server_proof(key, hello, nonce, server_name, stream.binding)
        stream.write(auth.encode_challenge(answer, server_name))
    return Caller(principal, hello.key_id, hello.issued)


def _require_certificate(stream: Stream, principal: Principal) -> None:
    """With TLS a daemon shows a certificate of its role; users have keys only."""
    names, name = stream.names, certified(principal.role)
    if names is not None and principal.role != USER and name not in names:
        raise AuthenticationFailed(f"{principal} showed no certificate that names {name}")
