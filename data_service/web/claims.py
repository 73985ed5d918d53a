"""What a request shows of who sends it: a password, a token, or the cookie of a session.

Nothing of it is believed here. None of it appears in a `repr`, and so in no log.
"""

import base64
import binascii
import hashlib
from typing import Dict, NamedTuple, Optional, Tuple, Union

from data_service.web.exchange.http_head import Head
from data_service.web.exchange.parameters import USER_CHARACTERS_MAX
from data_service.web.exchange.remote_exceptions import refused

COOKIE = "pyhdfs-session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Its name under TLS: with that in front, a browser takes it from nobody but us, over TLS."""

SECRET_CHARACTERS_MAX = 4096
"""Of a password or a token: so much a browser keeps in a cookie."""


class Password(NamedTuple):
    """A user's name, and what he says proves it."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"<Password of {self.user!a}>"

    @property
    def digest(self) -> bytes:
        """Stands for this claim where it is kept: nobody can claim the same by it."""
        return hashlib.sha256(f"{self.user}\0{self.password}".encode("utf-8")).digest()


class Token(NamedTuple):
    """A delegation token; `in_session` tells that it came as the cookie."""

    token: str
    in_session: bool = False

    def __repr__(self) -> str:
        return "<Token>"

    @property
    def digest(self) -> bytes:
        """As that of a Password, which never is the same."""
        return hashlib.sha256(f"\0{self.token}".encode("utf-8")).digest()


Claim = Union[Password, Token]


def claim_of(head: Head, delegation: str) -> Optional[Claim]:
    """What is claimed, None when nothing is; `delegation` is the parameter of that name.

    A session comes before a password, which a browser may remember of another user and send with
    everything. Raises RemoteException for what is no claim.
    """
    if delegation:
        return Token(_bounded(delegation))
    session = session_of(head)
    if session:
        return Token(session, in_session=True)
    scheme, _, encoded = head.headers.get("authorization", "").partition(" ")
    return _basic(encoded.strip()) if scheme.lower() == "basic" else None


def session_of(head: Head) -> str:
    """The token in the session's cookie; empty without one.

    Over TLS it has the name that only we can give: any other server on our host, by another port,
    can make a browser send us a session under the plain one, in which a person would then work
    for who began it.
    """
    cookies: Dict[str, str] = {}
    for pair in head.headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        cookies.setdefault(name, value)
    found = cookies.get(SECURE_COOKIE if head.scheme == "https" else COOKIE, "")
    return found if len(found) <= SECRET_CHARACTERS_MAX else ""


def cookie(token: str, secure: bool) -> str:
    """The value of `Set-Cookie` that begins a session, or with an empty token ends it."""
    name = SECURE_COOKIE if secure else COOKIE
    value = f"{name}={token}; Path=/; HttpOnly; SameSite=Strict"
    value += "; Secure" if secure else ""
    return value if token else f"{value}; Max-Age=0"


def challenge_of(head: Head) -> Tuple[Tuple[str, str], ...]:
    """The header that asks for a password; not what a page asked for, which has a form of its own:
    the browser would show a box besides."""
    script = head.headers.get("sec-fetch-mode", "navigate") != "navigate"
    if script or "x-requested-by" in head.headers:
        return ()
    return (("WWW-Authenticate", 'Basic realm="PyHDFS", charset="UTF-8"'),)


def checked(user: str, password: str) -> Password:
    """A claim of these, which a person or a program wrote. Raises RemoteException."""
    if not 0 < len(user) <= USER_CHARACTERS_MAX or not user.isprintable():
        raise refused(f"a user has a name of 1 to {USER_CHARACTERS_MAX} printable characters")
    return Password(user, _bounded(password))


def _basic(encoded: str) -> Password:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise refused("the header Authorization holds no user and password") from None
    user, _, password = text.partition(":")
    return checked(user, password)


def _bounded(secret: str) -> str:
    if len(secret) > SECRET_CHARACTERS_MAX or not secret.isprintable():
        raise refused(
            f"a password or token has at most {SECRET_CHARACTERS_MAX} printable characters"
        )
    return secret
