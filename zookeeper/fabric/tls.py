"""Whom a certificate proves: what this process shows of itself, and what it takes from others.

Theory of operation. All certificates of a cluster come from one authority of its own. A server's
names the hosts by which it is dialled and, as `ROLE.pyhdfs`, the roles of the daemons there; who
dials looks at both, so the certificate of a datanode makes no namenode. A daemon shows its own when
it dials, too; a user has a key and no certificate. The handshake that follows is bound to the
server's certificate: who relays it through a connection of TLS of his own is found out.

The files are looked at before each handshake and read anew when they changed, so that a certificate
is renewed by replacing it. A process shakes hands with itself over new ones first: what others
would refuse, or what does not belong together (yet), it does not use, and goes on with what it had.
"""

import hashlib
import os
import ssl
from typing import Any, Dict, FrozenSet, NamedTuple, Optional, Tuple

from zookeeper.fabric import logs
from zookeeper.fabric.credentials import state_of
from zookeeper.fabric.errors import AuthenticationFailed, SettingsError
from zookeeper.fabric.identity import GATEWAY, USER, certified
from zookeeper.fabric.key_file import open_regular
from zookeeper.fabric.settings import SecuritySettings
from zookeeper.fabric.stream import Stream
from zookeeper.fabric.tls_stream import TlsStream

log = logs.get("tls")


class _Contexts(NamedTuple):
    """What connections are made with until a file changes."""

    calling: ssl.SSLContext
    answering: Optional[ssl.SSLContext]
    binding: bytes
    """The digest of the own certificate."""


class Tls:
    """TLS as one process speaks it, in this role. May be used by any thread."""

    def __init__(self, security: SecuritySettings, role: str) -> None:
        """Reads the files. Raises SettingsError, which says what is wrong with which of them."""
        self._security = security
        self._role = role
        state = self._look()
        self._made = state, self._read()
        """What the files were like, and what came of them: one thing, so that no lock is needed."""
        self._looked_at = state

    def call(self, stream: Stream, server: str, host: str, deadline: float) -> TlsStream:
        """TLS on a connection to a server of this role at the host that was dialled.

        Raises AuthenticationFailed when that does not prove to be one.
        """
        context = self._current().calling
        secured = TlsStream(stream, context, server_hostname=host.partition("%")[0])
        connection = secured.shake_hands(deadline)
        if certified(server) not in _names(connection):
            secured.close()
            raise AuthenticationFailed(
                f"{stream.peer} does not prove what it is: its certificate does not name "
                f"{certified(server)}")
        secured.binding = _digest(connection)
        return secured

    def answer(self, stream: Stream, deadline: float) -> TlsStream:
        """TLS on a connection that somebody made to us. Raises AuthenticationFailed."""
        contexts = self._current()
        assert contexts.answering is not None, "a user has no certificate, and serves nobody"
        secured = TlsStream(stream, contexts.answering, server_side=True)
        secured.names = _names(secured.shake_hands(deadline))
        secured.binding = contexts.binding
        return secured

    def _current(self) -> _Contexts:
        state, (known, contexts) = self._look(), self._made
        if state != known:
            try:
                contexts = self._read()
                self._made = state, contexts
            except SettingsError as error:
                # It is tried again at the next handshake: perhaps only descriptors were short.
                if state != self._looked_at:
                    log.error("certificate.not_renewed", error=error.message)
            self._looked_at = state
        return contexts

    def _look(self) -> Tuple[object, ...]:
        own = self._security
        return tuple(map(state_of, (own.ca_file, own.certificate_file, own.certificate_key_file)))

    def _read(self) -> _Contexts:
        own = self._security
        calling = _context(ssl.PROTOCOL_TLS_CLIENT, own.ca_file)
        if self._role == USER:
            return _Contexts(calling, None, b"")
        answering = _context(ssl.PROTOCOL_TLS_SERVER, own.ca_file)
        # Verified when it is shown: users have none, and who calls himself a daemon must. A
        # gateway answers browsers only, which would ask each visitor to choose one.
        asks = self._role != GATEWAY
        answering.verify_mode = ssl.CERT_OPTIONAL if asks else ssl.CERT_NONE
        answering.num_tickets = 0
        certificate = _readable("certificate_file", own.certificate_file)
        key = _readable("certificate_key_file", own.certificate_key_file, private=True)
        for context in (calling, answering):
            _load_own(context, certificate, key)
        shown = _shown(calling, answering, certificate)
        name = certified(self._role)
        if name not in _names(shown):
            raise SettingsError(f"{certificate}: found a certificate of other names, "
                                f"expected {name} among them")
        until = shown.getpeercert()["notAfter"]  # type: ignore[index]
        log.info("certificate.read", file=certificate, until=until)
        return _Contexts(calling, answering, _digest(shown))


def _names(connection: ssl.SSLObject) -> FrozenSet[str]:
    """The DNS names in the certificate of the other side."""
    found: Dict[str, Any] = connection.getpeercert() or {}
    return frozenset(name for kind, name in found.get("subjectAltName", ()) if kind == "DNS")


def _digest(connection: ssl.SSLObject) -> bytes:
    """The digest of the certificate of the other side, which has one."""
    return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").digest()


def _context(protocol: int, ca_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Every start of a connection is a whole one: nothing to keep between them.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    path = _readable("ca_file", ca_file)
    try:
        context.load_verify_locations(path)
    except OSError as error:
        raise SettingsError(f"{path}: found no certificates, expected some in this ca_file: "
                            f"{_why(error)}") from None
    return context


def _load_own(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        # A password that is asked for is wrong rather than a daemon that waits at a terminal.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        raise SettingsError(f"{certificate}: found no certificate that goes with the key in {key}: "
                            f"{_why(error)}") from None


def _shown(calling: ssl.SSLContext, answering: ssl.SSLContext, certificate: str) -> ssl.SSLObject:
    """The calling side of a connection with ourselves, which shows what others will make of our
    certificate. Raises SettingsError when they will refuse it."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling.check_hostname = False  # For this once: which host others dial is not known here.
    sides = (calling.wrap_bio(back, there), answering.wrap_bio(there, back, server_side=True))
    try:
        for side in 2 * sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass  # It is the other one's turn.
    except ssl.SSLError as error:
        raise SettingsError(f"{certificate}: found a certificate that nobody accepts: "
                            f"{_why(error)}") from None
    calling.check_hostname = True
    return sides[0]


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no such content").lower().replace("_", " ")
    return error.strerror or str(error)


def _readable(setting: str, path: str, private: bool = False) -> str:
    """The path of a file that can be read; raises SettingsError, also where a private one can be
    by others."""
    if not path:
        raise SettingsError(f"found no {setting} in [security], expected one with tls = yes")
    try:
        with open_regular(path) as file:
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise SettingsError(f"{path}: cannot read this {setting}: {error.strerror}") from None
    if private and mode & 0o077:
        raise SettingsError(f"{path}: found access for group or others, expected a {setting} that "
                            "only its owner can open (chmod 600)")
    return path
