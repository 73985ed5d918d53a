"""One request, as those who answer it see it."""

from typing import NamedTuple

from data_service.web.exchange.body import Body
from data_service.web.exchange.http_head import Head
from data_service.web.exchange.parameters import Parameters


class Request(NamedTuple):
    """`path` is decoded, `query` as it came, and `parameters` what stands in it; `origin` is
    scheme, host and port by which the client came."""

    head: Head
    path: str
    query: bytes
    parameters: Parameters
    body: Body
    origin: str

    @property
    def method(self) -> str:
        """That of HTTP; a HEAD is a GET whose body is not sent."""
        return "GET" if self.head.method == "HEAD" else self.head.method
