"""HTTP on sockets: one request after the other on each connection, every wait with an end.

Theory of operation. Who connects is one of the crowd of `acceptor.py`: a connection without a whole
request has to make room when others want in. A head has its time in all. A body may take as long as
bytes come at a rate that is worth waiting for, and so may a response; only what a client makes us
wait counts against it, not what the cluster does. After an error with bytes still to come, these
are dropped up to a limit, or the connection ends: what is left of one request must never be read as
another. Hands of TLS are shaken in the connection's own thread, within the time of a handshake.
"""

import time
from typing import Any, Callable, ContextManager, Optional

from data_service.web.exchange.answers import Answer, Piece, answer_error, chunks, head_of
from data_service.web.exchange.body import Body, Inbox
from data_service.web.exchange.http_head import HEAD_BYTES_MAX, HEAD_END, Head, parse
from data_service.web.exchange.remote_exceptions import RemoteException, refused
from zookeeper.fabric import logs
from zookeeper.fabric.acceptor import Acceptor, Client
from zookeeper.fabric.auth import begins_tls
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.fabric.meter import Meter
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.stream import Stream
from zookeeper.fabric.waiting import NobodyWaits, told_of_waiting

log = logs.get("gateway")

BYTES_PER_SECOND_MIN = 4096
"""Who sends slower than that, on average, is not waited for."""

DROP_BYTES_MAX = 64 << 20
"""What is read and dropped so that a client hears an answer that it did not wait for."""

LINGER_SECONDS = 2.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Answering = Callable[[Head, Body], ContextManager[Answer]]


class HttpServer(Acceptor[Client]):
    """Serves HTTP at one address until `stop`; `answering` says what. With `tls`, a Tls of the
    gateway's, it serves HTTPS. The bytes of requests and answers are counted by `meter`."""

    def __init__(
        self,
        name: str,
        bind_host: str,
        port: int,
        answering: Answering,
        network: NetworkSettings,
        tls: Any = None,
        meter: Optional[Meter] = None,
    ) -> None:
        super().__init__(name, bind_host, port, network)
        self._answering = answering
        self._tls = tls
        self._meter = meter or Meter()

    def _client(self, stream: Stream, host: str) -> Client:
        return Client(stream, host)

    def _converse(self, client: Client) -> None:
        if self._tls is not None and not self._secure(client):
            return
        receiver = _Receiver(client, self._meter)
        inbox = Inbox(receiver.receive)
        while not inbox.empty or client.stream.poll(self._network.idle_timeout_seconds):
            receiver.begin()
            data = inbox.until(HEAD_END, HEAD_BYTES_MAX)
            if data == b"" or not self._begin(client):
                return
            if not self._answer_one(client, inbox, receiver, data):
                client.note_waiting(True)  # What is left to be done for it keeps nobody out.
                client.stream.linger_and_close(LINGER_SECONDS)
                return
            inbox.rest()
            self._end(client)

    def _secure(self, client: Client) -> bool:
        """Begin TLS; whether the client speaks it, who else is told in plain HTTP."""
        deadline = time.monotonic() + self._network.handshake_timeout_seconds
        first = client.stream.peek(deadline)
        if begins_tls(first):
            client.stream = self._tls.answer(client.stream, deadline)
            return True
        if first:
            _tell(client, refused("this is a port of HTTPS: the address begins with https://"))
            client.stream.linger_and_close(LINGER_SECONDS)
        return False

    def _answer_one(
        self, client: Client, inbox: Inbox, receiver: "_Receiver", data: Optional[bytes]
    ) -> bool:
        """Answer a request whose head is `data`, None for one that is too long; whether the
        connection goes on."""
        try:
            if data is None:
                raise refused(f"the head of the request is longer than {HEAD_BYTES_MAX} bytes", 431)
            head = parse(data)._replace(
                secure=self._tls is not None, peer=client.neighbourhood
            )
        except RemoteException as error:
            _tell(client, error)
            return False
        receiver.begin()
        invite = (lambda: client.stream.write(CONTINUE)) if head.expects else (lambda: None)
        body = Body(inbox, head.length, invite)
        keep = told_of_waiting(lambda waiting: _keep_waiting(client, waiting))
        with keep, self._answering(head, body) as answer:
            client.note_waiting(False)
            if client.stream.closed:
                return False  # The client left amid its body, and hears nothing any more.
            # Who was not invited may or may not send its body yet.
            goes_on = head.keeps_open and (body.finished or body.invited or not head.expects)
            self._send(client, head, answer, goes_on)
        try:
            return goes_on and body.drop(DROP_BYTES_MAX)
        except RemoteException:
            return False  # What is left are no chunks, and nobody knows where they end.

    def _send(self, client: Client, head: Head, answer: Answer, goes_on: bool) -> None:
        chunked = answer.pieces is not None and answer.length is None and head.version > 0
        first = head_of(answer, goes_on, chunked)
        if answer.pieces is None or head.method == "HEAD":
            body = b"" if head.method == "HEAD" else answer.body
            client.stream.write_parts(first, body)
            self._meter.carry(0, len(first) + len(body))
            return
        pieces = chunks(answer.pieces) if chunked else answer.pieces
        try:
            for piece in pieces:
                _write(client, first, piece)
                self._meter.carry(0, len(first) + len(piece))
                first = b""
            if first:
                client.stream.write(first)
        except DfsError as error:
            # It was promised the rest: a connection that breaks off says that it does not come.
            if not client.stream.closed:
                log.warning("response.cut", host=client.host, error=error.message)
            raise Unavailable("the response was cut") from error


def _tell(client: Client, error: RemoteException) -> None:
    client.stream.write_parts(
        head_of(answer_error(error), keeps_open=False, chunked=False), error.body
    )


def _keep_waiting(client: Client, waiting: bool) -> None:
    """Who waits for a namenode that is away makes room for others; and nobody waits for him who
    went."""
    if waiting and client.gone():
        raise NobodyWaits("nobody waits for the answer any more")
    if waiting != (client.waiting_since is not None):
        client.note_waiting(waiting)


def _write(client: Client, *parts: Piece) -> None:
    client.note_waiting(True)
    client.stream.write_parts(*parts)
    client.note_waiting(False)


class _Receiver:
    """What a client sends, with the patience that it has deserved so far."""

    def __init__(self, client: Client, meter: Meter) -> None:
        self._client = client
        self._meter = meter
        self._budget = 0.0

    def begin(self) -> None:
        """A head, or a body, begins: its client has time again."""
        self._budget = self._client.stream.stall_seconds

    def receive(self, view: memoryview) -> int:
        """Some bytes into `view`; how many, none at the end. Raises DeadlineExceeded."""
        stream, began = self._client.stream, time.monotonic()
        self._client.note_waiting(True)
        count = stream.read_some(view, began + min(self._budget, stream.stall_seconds))
        self._client.note_waiting(False)
        self._meter.carry(count, 0)
        self._budget += count / BYTES_PER_SECOND_MIN - (time.monotonic() - began)
        return count
