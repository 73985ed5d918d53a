"""Visitors of a cluster of mode `secret`, each of whom proves who he is.

Theory of operation. The gateway judges nobody, and has no power of its own. A user's web password
is his key to the namenode: with that the gateway dials as he, and the namenode tells whether it is
good. A delegation token is shown to the namenode on connections of the gateway's, whose calls are
then those of the token's owner. A session's cookie is such a token, which the user gets with his
password, and which the gateway, as its renewer, prolongs while it is used. A client that was made
so is kept, by a digest of what proved it, and serves until its key or token is refused.

While no namenode leads nobody can say who a new visitor is. He is told so at once, unless it is for
his files that he came: then he waits for one as he would for what he asks next.
"""

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import Callable, Iterator, Optional
from weakref import WeakKeyDictionary

from data_service.filesystem.acting import Acting, ByKey, ByRole, ByToken
from data_service.filesystem.file_system import FileSystem
from data_service.web.attempts import Attempts
from data_service.web.claims import Claim, Password, Token, checked, claim_of, session_of
from data_service.web.clients import Clients
from data_service.web.exchange.remote_exceptions import (
    ACCESS_CONTROL,
    INVALID_TOKEN,
    NOBODY_LEADS,
    UNAUTHENTICATED,
    RemoteException,
    refused,
    translated,
)
from data_service.web.exchange.request import Request
from data_service.web.visitors import Connect, Entered, on_behalf_of
from zookeeper.fabric import logs
from zookeeper.fabric.auth import SECRET
from zookeeper.fabric.errors import AuthenticationFailed, DfsError, NotLeader, Unavailable
from zookeeper.fabric.identity import GATEWAY

log = logs.get("gateway")

PROOF_SECONDS = 10.0
"""For how long a proof is believed by itself: not every answer needs the namenode."""

RENEW_SECONDS = 3600.0
"""How often the token of a session in use is prolonged: it lives a day without."""


class ProvenVisitors:
    """See Visitors."""

    mode = SECRET

    def __init__(
        self, clients: Clients, connect: Connect, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._clients = clients
        self._connect = connect
        self._lock = threading.Lock()
        self._attempts = Attempts()
        self._proved_at: "WeakKeyDictionary[FileSystem, float]" = WeakKeyDictionary()
        self._renewed_at: "WeakKeyDictionary[FileSystem, float]" = WeakKeyDictionary()

    def client(self, request: Request, held: ExitStack, patient: bool = False) -> FileSystem:
        """See Visitors."""
        parameters = request.parameters
        claim = claim_of(request.head, parameters.text("delegation"))
        if claim is None:
            raise RemoteException(
                UNAUTHENTICATED, "say who you are: by user and web password, which `pyhdfs "
                "issueKey --web` prints, or by a token"
            )
        user = claim.user if isinstance(claim, Password) else ""
        other = on_behalf_of(parameters, user)
        if other and not user:
            raise refused("found both a token and doas: a token says for whom it is")
        fs = held.enter_context(self._served(claim, other, request.head.visitor, patient))
        named, proved = parameters.user("user.name"), user or fs.user
        if named and named != proved:
            raise RemoteException(
                ACCESS_CONTROL, f"user.name is {named}, but it is {proved} who proved who he is"
            )
        return fs

    def enter(self, user: str, password: str, request: Request, held: ExitStack) -> Entered:
        """See Visitors."""
        claim = checked(user, password)
        fs = held.enter_context(self._served(claim, "", request.head.visitor))
        # Of the session before nobody else knows the token, and a user has only so many.
        self.leave(request)
        try:
            return Entered(fs, fs.briefly().delegation_token(renewer=GATEWAY))
        except (Unavailable, NotLeader) as error:
            raise _nobody_leads(error) from None

    def leave(self, request: Request) -> None:
        """See Visitors."""
        session = session_of(request.head)
        if not session:
            return
        claim = Token(session, in_session=True)
        try:
            with self._served(claim, "", request.head.visitor) as fs:
                fs.briefly().cancel_delegation_token(session)
        except DfsError as error:
            if not _is_over(error):
                # Its cookie is forgotten in any case; nobody prolongs the token, which ends so.
                log.warning("session.not_ended", error=error.message)
        self._clients.forget((claim.digest, ""))

    @contextmanager
    def _served(
        self, claim: Claim, other: str, host: str, patient: bool = False
    ) -> Iterator[FileSystem]:
        """The client that a claim is good for. Raises RemoteException when it is not, also when
        that turns out within the block."""
        visitor = (claim.digest, other)
        try:
            with self._kept(claim, other, host, patient) as fs:
                if self._is_time(self._proved_at, fs, PROOF_SECONDS):
                    _prove_again(fs)
                if isinstance(claim, Token) and claim.in_session:
                    self._renew(claim.token, fs)
                yield fs
        except DfsError as error:
            if translated(error, "", "").kind is not UNAUTHENTICATED:
                raise
            self._clients.forget(visitor)
            own_word = isinstance(claim, Token) and not claim.in_session
            # As HDFS: who hears that of his token gets himself another one.
            kind = INVALID_TOKEN if own_word else UNAUTHENTICATED
            raise RemoteException(kind, error.message) from None

    @contextmanager
    def _kept(
        self, claim: Claim, other: str, host: str, patient: bool
    ) -> Iterator[FileSystem]:
        visitor = (claim.digest, other)
        with ExitStack() as held:
            make = lambda: self._proved(claim, other, host, _knock)  # noqa: E731
            try:
                fs = held.enter_context(self._clients.of(visitor, make))
            except (Unavailable, NotLeader) as error:
                if not patient:
                    raise _nobody_leads(error) from None
                # By itself, since who has no patience must not wait for it. All who wait share it.
                make = lambda: self._proved(claim, other, host, _wait)  # noqa: E731
                fs = held.enter_context(self._clients.of((*visitor, "waiting"), make))
                self._clients.forget((*visitor, "waiting"))
            yield fs

    def _proved(
        self, claim: Claim, other: str, host: str, ask: Callable[[FileSystem], None]
    ) -> FileSystem:
        """A new client, whose first call, `ask`, the namenode has answered. Raises
        AuthenticationFailed."""
        with self._lock:
            begun = self._attempts.begin(host, claim.digest, self._now())
        if not begun:
            raise AuthenticationFailed(
                "too many attempts from your host were wrong lately: wait for some seconds"
            )
        good: Optional[bool] = None
        try:
            fs = self._connect("", _acting(claim), other)
            try:
                ask(fs)
            except BaseException:
                fs.close()
                raise
            good = True
        except AuthenticationFailed as error:
            good = False
            log.warning("visitor.refused", host=host, claim=claim, error=error.message)
            raise
        finally:
            with self._lock:
                self._attempts.end(host, claim.digest, good, self._now())
        self._is_time(self._proved_at, fs, PROOF_SECONDS)
        return fs

    def _renew(self, token: str, fs: FileSystem) -> None:
        """Prolong the token of a session, unless that was done not long ago."""
        if not self._is_time(self._renewed_at, fs, RENEW_SECONDS):
            return
        try:
            own = self._connect("", ByRole(GATEWAY), "")
            try:
                own.briefly().renew_delegation_token(token)
            finally:
                own.close()
        except DfsError as error:
            # It is good as yet: when it is not, it is refused.
            log.warning("session.not_renewed", user=fs.user, error=error.message)

    def _is_time(
        self, done_at: "WeakKeyDictionary[FileSystem, float]", fs: FileSystem, seconds: float
    ) -> bool:
        """Whether something is to be done for a client now, which is noted as done."""
        now = self._now()
        with self._lock:
            is_time = now >= done_at.get(fs, -seconds) + seconds
            if is_time:
                done_at[fs] = now
        return is_time


def _nobody_leads(error: DfsError) -> RemoteException:
    return RemoteException(
        NOBODY_LEADS, "no namenode that leads answers this gateway, so that nobody can say who you "
        f"are: try again in a moment ({error.message})"
    )  # fmt: skip


def _is_over(error: DfsError) -> bool:
    """Whether this is said of a session that has ended."""
    return isinstance(error, RemoteException) and error.kind is UNAUTHENTICATED


def _knock(fs: FileSystem) -> None:
    """Ask the namenodes, and wait for none that leads."""
    fs.knock()


def _wait(fs: FileSystem) -> None:
    """Ask the namenode, and wait for one that leads."""
    fs.stat("/")


def _prove_again(fs: FileSystem) -> None:
    """Raise AuthenticationFailed for whom the namenode lets in no more."""
    try:
        fs.knock()
    except AuthenticationFailed:
        raise
    except DfsError as error:
        # While it is out of reach, who was known may see that it is; what needs it fails anyway.
        log.debug("visitor.not_proved_again", user=fs.user, error=error.message)


def _acting(claim: Claim) -> Acting:
    if isinstance(claim, Password):
        return ByKey(claim.user, claim.password)
    return ByToken(claim.token, GATEWAY)
