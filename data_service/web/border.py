"""What a page in a browser can have done here, in the name of who looks at it.

Theory of operation. A browser adds to a request what it holds for our address: the session's
cookie, or a password that was typed once. It also reaches `localhost` for pages from anywhere. So a
request that changes something must not be sent by a page of another site, and browsers tell whose
it is: by `Sec-Fetch-Site`, and by `Origin`. A page that lets its own name lead to this machine is
for the browser one site with us; but that name is none of ours. What a cookie comes with needs a
header besides, which a page of another site cannot add without asking (`OPTIONS`), and which no
form has. Programs send none of these, and are not met by any of this.

What another site's page may read, the browser asks us: nothing, unless `web_origins` names it. Such
a page proves by itself who asks (a password, a token); the cookie is for the gateway's own page.
"""

from typing import Collection, List, Optional, Tuple

from data_service.web.exchange.answers import METHODS
from data_service.web.exchange.http_head import Head, host_of
from data_service.web.exchange.remote_exceptions import ACCESS_CONTROL, RemoteException, refused

READERS = ("GET", "HEAD", "OPTIONS")
CHANGERS = ("PUT", "POST", "DELETE")
PROOFS = ("x-requested-by", "x-xsrf-header")
"""Headers of which one, with any value, shows that no form of a foreign page sent a request."""

PREFLIGHT_SECONDS = 600
"""For how long a browser need not ask again what a page of another origin may do."""

_ALLOWED_HEADERS = "Authorization, Content-Type, Range, X-Requested-By, X-XSRF-HEADER"

Headers = Tuple[Tuple[str, str], ...]


class Border:
    """Who may come in, by the names of this gateway, `hosts` besides numeric ones, and by the
    `origins` whose pages may do what their visitors can prove they may."""

    def __init__(self, hosts: Collection[str], origins: Collection[str] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts) | {"localhost"}
        self._origins = frozenset(origins)

    def check(self, head: Head, has_session: bool) -> None:
        """Raise RemoteException for what a stranger made a browser send.

        `has_session` tells that a cookie came along by which somebody would be known.
        """
        if head.method not in (*READERS, *CHANGERS):
            raise refused(f"the method {head.method} has no meaning here", 405)
        for host in filter(None, (head.headers.get("host"), head.authority)):
            if not self._is_ours(host_of(host)):
                raise RemoteException(
                    ACCESS_CONTROL,
                    f"this gateway is not known as {host_of(host)}: name it in [web] web_names",
                )
        if head.method == "OPTIONS":
            return
        changes = head.method in CHANGERS
        if self._is_foreign(head):
            if changes:
                raise _refused_page(head, "change anything here")
            # Where a browser tells so much, it also tells a link that somebody followed.
            link = head.headers.get("sec-fetch-mode", "navigate") == "navigate"
            if not link or head.headers.get("sec-fetch-dest", "document") != "document":
                raise _refused_page(head, "use what is here")
        if changes and has_session and not any(name in head.headers for name in PROOFS):
            raise RemoteException(
                ACCESS_CONTROL, "a change that comes with a cookie needs the header X-Requested-By"
            )

    def headers_for(self, head: Head) -> Headers:
        """What the browser is told besides of a page's right to the answer."""
        found: List[Tuple[str, str]] = []
        origin = self._allowed_origin(head)
        if origin is not None:
            found.append(("Access-Control-Allow-Origin", origin))
            found.append(("Access-Control-Expose-Headers", "Location, Content-Length"))
            if head.method == "OPTIONS":
                found.append(("Access-Control-Allow-Methods", METHODS))
                found.append(("Access-Control-Allow-Headers", _ALLOWED_HEADERS))
                found.append(("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)))
        return tuple(found)

    def _is_ours(self, host: str) -> bool:
        numeric = host[:1] == "[" or host.replace(".", "").isdigit()
        return numeric or host in self._hosts

    def _is_foreign(self, head: Head) -> bool:
        if self._allowed_origin(head) is not None:
            return False
        site = head.headers.get("sec-fetch-site")
        if site is not None:
            # `none` is what a person typed. Another port of our host is `same-site`: not we.
            return site not in ("same-origin", "none")
        origin = head.headers.get("origin")
        return origin is not None and origin.rpartition("://")[2] != head.authority

    def _allowed_origin(self, head: Head) -> Optional[str]:
        origin = head.headers.get("origin")
        return origin if origin in self._origins else None


def _refused_page(head: Head, deed: str) -> RemoteException:
    origin = head.headers.get("origin", "another site")
    return RemoteException(ACCESS_CONTROL, f"a page of {origin:.200} may not {deed}")
