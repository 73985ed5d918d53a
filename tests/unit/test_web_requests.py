"""Requests of HTTP, taken apart without a socket: heads, bodies, addresses, parameters."""

import time
from typing import Callable, List

import pytest

from data_service.web.exchange.body import BUFFER_BYTES, Body, Inbox
from data_service.web.exchange.http_head import (
    HEAD_END,
    HEADERS_MAX,
    LINE_BYTES_MAX,
    host_of,
    parse,
)
from data_service.web.exchange.parameters import PARAMETERS_MAX, Parameters
from data_service.web.exchange.remote_exceptions import RemoteException
from data_service.web.exchange.targets import parse_target
from data_service.web.webhdfs import addresses
from tests.support.disks.replicas import noise
from tests.support.models.web_asker import inbox_of
from zookeeper.fabric.errors import Unavailable


def head_bytes(line: bytes = b"GET / HTTP/1.1", *headers: bytes) -> bytes:
    """A head of these lines, with a host."""
    return b"\r\n".join([line, b"Host: a:9870", *headers]) + HEAD_END


def status_of(data: bytes) -> int:
    """With what a head is refused."""
    with pytest.raises(RemoteException) as caught:
        parse(data)
    return caught.value.kind.status


def dripping(data: bytes, piece: int) -> Inbox:
    """What gives these bytes, so many at a time."""
    return inbox_of(*[data[start : start + piece] for start in range(0, len(data), piece)])


def test_a_head_says_what_is_wanted() -> None:
    head = parse(head_bytes(b"PUT /a%20b?op=CREATE HTTP/1.1", b"Content-Length: 5",
                            b"EXPECT:  100-Continue ", b"Accept: a", b"accept: b"))
    assert (head.method, head.target) == ("PUT", b"/a%20b?op=CREATE")
    assert (head.length, head.expects, head.keeps_open, head.version) == (5, True, True, 1)
    assert head.headers["accept"] == "a, b" and head.authority == "a:9870"


@pytest.mark.parametrize("target, meant", [
    (b"/a?b", b"/a?b"), (b"//a", b"//a"), (b"http://x:1/a?b", b"/a?b"), (b"HTTPS://x", b"/"),
    (b"http://x?b", b"/?b"), (b"*", b"*"),
])  # fmt: skip
def test_a_target_is_a_path_whoever_reads_it(target: bytes, meant: bytes) -> None:
    assert parse(head_bytes(b"GET " + target + b" HTTP/1.1")).target == meant


@pytest.mark.parametrize("line, headers, keeps_open", [
    (b"GET / HTTP/1.1", [], True), (b"GET / HTTP/1.1", [b"Connection: x, Close"], False),
    (b"GET / HTTP/1.0", [], False), (b"GET / HTTP/1.0", [b"Connection: keep-alive"], False),
])  # fmt: skip
def test_how_long_a_connection_is_kept(
    line: bytes, headers: List[bytes], keeps_open: bool
) -> None:
    assert parse(head_bytes(line, *headers)).keeps_open is keeps_open


def test_a_proxy_is_known_by_its_headers() -> None:
    head = parse(head_bytes(b"GET http://x/y HTTP/1.1", b"X-Forwarded-Host: web.org, inner",
                            b"X-Forwarded-Proto: HTTPS"))
    assert (head.target, head.authority, head.scheme) == (b"/y", "web.org", "https")
    several = parse(head_bytes(b"GET /y HTTP/1.1", b"X-Forwarded-Proto: https, http"))
    assert several.scheme == "https"
    assert host_of("WEB.org:80") == "web.org" and host_of("[::1]:9870") == "[::1]"


@pytest.mark.parametrize("host, port, authority", [
    (b"web.org", b"8443", "web.org:8443"), (b"web.org:1", b"8443", "web.org:1"),
    (b"web.org", b"443", "web.org"), (b"web.org", b"80", "web.org:80"),
    (b"web.org", b"x", "web.org"),
    (b"[::1]", b"8443", "[::1]:8443"), (b"[::1]:1", b"8443", "[::1]:1"), (b"", b"8443", "a:9870"),
    (b"web.org", b"8443, 80", "web.org:8443"),
])  # fmt: skip
def test_a_port_that_a_proxy_tells_apart_belongs_to_its_name(
    host: bytes, port: bytes, authority: str
) -> None:
    head = parse(head_bytes(b"GET /y HTTP/1.1", b"X-Forwarded-Host: " + host,
                            b"X-Forwarded-Port: " + port, b"X-Forwarded-Proto: https"))
    assert head.authority == authority


@pytest.mark.parametrize("headers", [
    [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    [b"Content-Length: 5", b"Content-Length: 5"],
    [b"Content-Length: +5"], [b"Content-Length: 5, 5"], [b"Content-Length: 0x5"],
    [b"Content-Length: -1"], [b"Content-Length: "], [b"Content-Length: " + b"9" * 19],
    [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
    [b"Content-Length : 5"], [b" Content-Length: 5"], [b"A: b", b" folded"], [b"no header"],
    [b"A: b\nContent-Length: 5"], [b"A: b\rC: d"], [b"A: \0"], [b": b"], [b"Host: b"],
    [b"X-Forwarded-Host: a b"], [b'X-Forwarded-Host: a"><script>'], [b"X-Forwarded-Host: a@b"],
])  # fmt: skip
def test_what_two_readers_could_read_differently_is_refused(headers: List[bytes]) -> None:
    """One request must not hide in another (CWE-444), nor a header in a value."""
    assert status_of(head_bytes(b"PUT / HTTP/1.1", *headers)) == 400


@pytest.mark.parametrize("data, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (head_bytes(b"GET  / HTTP/1.1"), 400),
    (head_bytes(b"GET / HTTP/1.1 "), 400), (head_bytes(b"GET /a b HTTP/1.1"), 400),
    (head_bytes(b"GET xwebhdfs/v1 HTTP/1.1"), 400), (head_bytes(b"GET a?http://b/ HTTP/1.1"), 400),
    (head_bytes(b"GET a:80 HTTP/1.1"), 400), (head_bytes(b"GET http:///a HTTP/1.1"), 400),
    (head_bytes(b"GET /\x01 HTTP/1.1"), 400), (head_bytes(b"GET /"), 400), (HEAD_END, 400),
    (head_bytes(b"GET / HTTP/2.0"), 505), (b"\x16\x03\x01\r\n\r\n", 400),
    (head_bytes(b"GET /" + b"x" * LINE_BYTES_MAX + b" HTTP/1.1"), 414),
    (head_bytes(b"GET / HTTP/1.1", *[b"A: b"] * HEADERS_MAX), 431),
    (head_bytes(b"PUT / HTTP/1.1", b"Transfer-Encoding: gzip, chunked"), 501),
    (head_bytes(b"PUT / HTTP/1.0", b"Transfer-Encoding: chunked"), 400),
    (head_bytes(b"PUT / HTTP/1.1", b"Expect: miracles"), 417),
])  # fmt: skip
def test_a_head_that_is_none_has_its_status(data: bytes, status: int) -> None:
    assert status_of(data) == status


def test_blanks_without_end_cost_no_more_than_letters() -> None:
    def seconds(letter: bytes) -> float:
        data = head_bytes(b"GET / HTTP/1.1", b"A:" + letter * 20_000 + b"\0")
        began = time.thread_time()
        assert status_of(data) == 400
        return time.thread_time() - began

    letters = max(seconds(b"x") for _ in range(3))
    assert min(seconds(b" ") for _ in range(3)) < 100 * letters


CHUNKED = b"5\r\nhello\r\n00C;a=b\r\n, world\r\n!\r\n\r\n0\r\nTrailer: x\r\n\r\n"
pieces_of_any_size = pytest.mark.parametrize("piece", [1, 2, 7, 1000])


@pieces_of_any_size
def test_a_body_ends_where_it_says(piece: int) -> None:
    for data, length, whole in ((b"hello", 5, b"hello"), (b"", 0, b""),
                                (CHUNKED, None, b"hello, world\r\n!\r\n")):
        inbox = dripping(data + b"GET / next", piece)
        body = Body(inbox, length)
        assert b"".join(body.pieces()) == whole
        assert body.finished and not [*body.pieces()]
        assert inbox.until(b"next", 100) == b"GET / next"


@pieces_of_any_size
@pytest.mark.parametrize("data", [
    b"x\r\nhello", b"5\nhello\r\n0\r\n\r\n", b"-5\r\nhello", b"5 5\r\nhello", b"0x5\r\nhello",
    b"4\r\nhello\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"\r\n", b"1" * 16 + b"\r\nx",
    b"5;" + b"x" * 2000 + b"\r\nhello", b"0\r\n" + b"A: b\r\n" * 5000,
    b"0\r\n\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\nA: b\n\r\n", b"0\r\nA: b\r\n\n",
    b"0\r\nno trailer\r\n\r\n", b"0\r\nA: b\r\n folded\r\n\r\n", b"0\r\n\r\r\n\r\n",
])  # fmt: skip
def test_chunks_that_are_none_are_refused(data: bytes, piece: int) -> None:
    body = Body(dripping(data + b" " * 50, piece), None)
    with pytest.raises(RemoteException):
        list(body.pieces())
    assert not body.finished


@pytest.mark.parametrize("data, length", [
    (b"hell", 5), (b"", 5), (b"5\r\nhell", None), (b"5\r\nhello\r\n", None), (b"5", None),
    (b"5\r\nhello\r\n0\r\n", None),
])  # fmt: skip
def test_a_body_that_is_cut_off_is_no_body(data: bytes, length: int) -> None:
    body = Body(dripping(data, 3), length)
    with pytest.raises((Unavailable, RemoteException)):
        list(body.pieces())
    assert not body.finished


def test_who_waits_is_invited_once_and_only_by_who_reads() -> None:
    asked: List[str] = []
    body = Body(dripping(b"hello", 2), 5, lambda: asked.append("continue"))
    assert not asked and not body.invited
    assert next(body.pieces()) == b"he"
    assert body.drop(10) and asked == ["continue"]


def test_no_more_is_dropped_than_is_worth_it() -> None:
    assert Body(dripping(b"x" * 100, 10), 100).drop(100)
    assert not Body(dripping(b"x" * 100, 10), 100).drop(50)


@pieces_of_any_size
def test_a_head_is_waited_for_and_has_an_end(piece: int) -> None:
    inbox = dripping(b"one\r\n\r\ntwo\r\n\r\n" + b"x" * 20, piece)
    assert inbox.until(HEAD_END, 100) == b"one\r\n\r\n"
    assert inbox.until(HEAD_END, 7) == b"two\r\n\r\n"
    assert inbox.until(HEAD_END, 20) is None
    assert dripping(b"", piece).until(HEAD_END, 20) == b""
    with pytest.raises(Unavailable):
        dripping(b"half a head\r\n", piece).until(HEAD_END, 100)


@pytest.mark.parametrize("target, path", [
    (b"", "/"), (b"/", "/"), (b"/a/b/", "/a/b"), (b"//a///b", "/a/b"), (b"/a+b", "/a+b"),
    (b"/a%20b%2Bc", "/a b+c"), (b"/100%25", "/100%"), (b"/%2541", "/%41"), (b"/100%", "/100%"),
    (b"/%C3%A9", "/é"), ("/é".encode(), "/é"), (b"/a%2Fb", "/a/b"), (b"/a=b;c&d", "/a=b;c&d"),
])  # fmt: skip
def test_a_path_is_decoded_exactly_once(target: bytes, path: str) -> None:
    place = parse_target(b"/webhdfs/v1" + target + b"?op=x?y")
    assert addresses.file_path(place.path) == path and place.query == b"op=x?y"


def test_every_character_survives_the_way_to_the_second_step() -> None:
    name = "".join(map(chr, [*range(1, 0x2F), *range(0x30, 0x180), 0x1F600]))
    there = addresses.location("http://a:1", "/" + name, "op=é&a=%2B+".encode())
    assert there.isascii() and there.isprintable() and " " not in there
    place = parse_target(there[len("http://a:1") :].encode())
    assert addresses.file_path(place.path) == "/" + name
    parameters = Parameters(place.query)
    assert (parameters.op, parameters.text("a")) == ("É", "+ ") and parameters.boolean("data")


@pytest.mark.parametrize("path", ["/", "/x", "/webhdfs", "/webhdfs/v10/a", "/webhdfs/v2"])
def test_other_places_are_no_files(path: str) -> None:
    assert addresses.file_path(path) is None


@pytest.mark.parametrize("target", [b"/webhdfs/v1/a/../b", b"/webhdfs/v1/%2e%2e", b"/webhdfs/v1/."])
def test_no_path_climbs(target: bytes) -> None:
    with pytest.raises(RemoteException, match="^Invalid path name /") as caught:
        addresses.file_path(parse_target(target).path)
    assert caught.value.kind.name == "InvalidPathException"


def test_a_path_that_is_no_text_is_refused() -> None:
    with pytest.raises(RemoteException, match="UTF-8"):
        parse_target(b"/webhdfs/v1/%FF")
    with pytest.raises(RemoteException, match="UTF-8"):
        Parameters(b"op=%C3")


def test_parameters_are_found_by_their_names_in_any_case() -> None:
    found = Parameters(b"OP=mkDirs&User.Name=alice&x=&x=1&x=2&recursive=TRUE&n=%2B7&m=01777&e=&f")
    assert (found.op, found.user("user.name"), found.text("X")) == ("MKDIRS", "alice", "1")
    assert found.boolean("recursive") and not found.boolean("other")
    assert found.mode("m", 0) == 0o1777 and found.mode("none", 0o644) == 0o644
    assert (found.text("e", "usual"), found.text("f")) == ("usual", "")
    assert (found.long("n"), found.perhaps_long("e")) == (7, None)


@pytest.mark.parametrize("query, read, words", [
    (b"permission=888", lambda p: p.mode("permission", 0),
     'Failed to parse "888" as a radix-8 short integer.'),
    (b"permission=2000", lambda p: p.mode("permission", 0),
     "Invalid parameter range: permission = 2000 > 1777"),
    (b"offset=abc", lambda p: p.long("offset"),
     'Failed to parse "abc" as a radix-10 long integer.'),
    (b"offset=" + b"9" * 19, lambda p: p.long("offset"),
     f'Failed to parse "{"9" * 19}" as a radix-10 long integer.'),
    (b"length=-1", lambda p: p.perhaps_long("length"),
     "Invalid parameter range: length = -1 < 0"),
    (b"replication=0", lambda p: p.short("replication"),
     "Invalid parameter range: replication = 0 < 1"),
    (b"recursive=maybe", lambda p: p.boolean("recursive"), 'Failed to parse "maybe" to Boolean.'),
    (b"destination=foo", lambda p: p.path("destination"),
     'Invalid parameter value: destination = "foo" is not an absolute path.'),
    (b"sources=/a,b", lambda p: p.paths("sources"),
     'Invalid parameter value: sources = "b" is not an absolute path.'),
    (b"user.name=a%0Ab", lambda p: p.user("user.name"),
     'Invalid parameter value: user.name = "a\nb" does not belong to the domain '
     "^[A-Za-z_][A-Za-z0-9._-]*[$]?$"),
])  # fmt: skip
def test_a_value_that_cannot_be_is_told_in_hdfs_words(
    query: bytes, read: Callable[[Parameters], object], words: str
) -> None:
    with pytest.raises(RemoteException) as caught:
        read(Parameters(query))
    name = query.partition(b"=")[0].decode()
    assert caught.value.message == f'Invalid value for webhdfs parameter "{name}": {words}'
    assert caught.value.kind.name == "IllegalArgumentException"


def test_a_value_that_must_be_there() -> None:
    with pytest.raises(RemoteException) as caught:
        Parameters(b"op=rename&destination=").path("destination")
    assert caught.value.message == "Required param destination for op: RENAME is null or empty"


def test_there_are_not_more_parameters_than_anybody_needs() -> None:
    with pytest.raises(RemoteException):
        Parameters(b"&".join([b"a=b"] * (PARAMETERS_MAX + 1)))


@pytest.mark.parametrize("chunk", [1000, 65536, 300_000])
@pytest.mark.parametrize("piece", [777, 70_000, 1 << 20])
def test_a_large_body_goes_through_one_buffer(chunk: int, piece: int) -> None:
    whole = noise(700_001, 3)
    lines = [b"%x\r\n%b\r\n" % (len(part), part)
             for part in (whole[start : start + chunk] for start in range(0, len(whole), chunk))]
    for data, length in ((whole, len(whole)), (b"".join(lines) + b"0\r\n\r\n", None)):
        inbox = dripping(data + b"GET / next", piece)
        body = Body(inbox, length)
        assert b"".join(body.pieces()) == whole and body.finished
        inbox.rest()
        assert inbox.until(b"next", BUFFER_BYTES) == b"GET / next" and inbox.empty
        inbox.rest()


def test_what_is_awaited_may_take_the_whole_buffer() -> None:
    """Behind what was taken already: what is held moves to the front."""
    long = b"x" * (BUFFER_BYTES - 4) + HEAD_END
    inbox = dripping(b"one" + HEAD_END + long + long, 100_000)
    assert inbox.until(HEAD_END, 100) == b"one" + HEAD_END
    assert inbox.until(HEAD_END, BUFFER_BYTES) == long == inbox.until(HEAD_END, BUFFER_BYTES)
