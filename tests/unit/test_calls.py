"""A call described once: what its callers send, what its service sees, what comes back."""

from typing import Annotated, Any, List, NamedTuple, Optional, Tuple

import pytest

from zookeeper.fabric.calls import (
    ANSWERS_WITH_BODY,
    CHANGES,
    READS,
    TAKES_BODY,
    TELLS,
    Call,
    Calls,
    Operation,
    Receiving,
    Sending,
    call,
    calls_of,
    serves,
)
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied, ProtocolViolation
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.kinds import Between, Natural, Port, Rows, Text, pack_rows
from zookeeper.fabric.rpc import Peer, Service


class Entry(NamedTuple):
    """A row of an answer."""

    name: str
    length: Natural


class Shelf(Calls):
    """A table to try everything on."""

    @call(READS)
    def page(self, path: Text, after: Text = "", limit: Natural = 10) -> Tuple[Rows[Entry], bool]:
        """Entries, and whether more follow."""

    @call(CHANGES)
    def move(self, source: Text, destination: Text) -> None:
        """Move an entry."""

    @call(TELLS, who=("data_node",))
    def report(self, port: Port, kinds: Tuple[Entry, ...] = ()) -> Natural:
        """For datanodes only."""

    @call(TELLS, waits=True)
    def write(self, number: Natural) -> Sending[Tuple[str, ...]]:
        """Takes a body."""

    @call(READS)
    def read(self, number: Natural) -> Receiving:
        """Answers with one."""


class Clerk:
    """Answers a part of the table."""

    def __init__(self) -> None:
        self.seen: List[Any] = []

    def move(self, op: Operation, source: str, destination: str) -> None:
        """Note it."""
        self.seen.append((op, source, destination))


class Small(Calls):
    """A second table, answered by a part of the service."""

    @call(CHANGES)
    def move(self, source: Text, destination: Text) -> None:
        """Move an entry."""


@serves(Shelf)
@serves(Small, by="clerk")
class ShelfService(Service):
    """Answers all of it."""

    def __init__(self) -> None:
        self.clerk = Clerk()
        self.moved: List[Any] = []

    def page(self, path: str, after: str = "", limit: int = 10) -> Tuple[List[Entry], bool]:
        """One row that says what came."""
        return [Entry(f"{path}{after}", limit)], False

    def move(self, op: Operation, source: str, destination: str) -> None:
        """Note it."""
        self.moved.append((op, source, destination))

    def report(self, port: int, kinds: Tuple[Entry, ...] = ()) -> int:
        """How many."""
        return port + sum(entry.length for entry in kinds)

    def write(self, packets: Any, number: int) -> Tuple[str, ...]:
        """What came."""
        return (packets, str(number))

    def read(self, packets: Any, number: int) -> None:
        """Nothing."""


def served(principal: str = "user:alice") -> ShelfService:
    """The service as this principal meets it."""
    service = ShelfService()
    service.peer = Peer(Principal.parse(principal), "127.0.0.1")
    return service


def over(service: Any) -> Shelf:
    """A stub on the service, as if a connection were between."""

    def perform(described: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        op = (("me", 7),) if described.effect == CHANGES else ()
        return getattr(service, f"exposed_{described.name}")(*op, *args)

    return Shelf(perform)


def test_a_stub_and_a_service_understand_each_other() -> None:
    service = served()
    stub = over(service)
    assert stub.page("/a") == ([Entry("/a", 10)], False)
    assert stub.page("/a", limit=3) == ([Entry("/a", 3)], False), "what stands before has defaults"
    assert service.exposed_page("/a", "b") == (pack_rows([Entry("/ab", 10)]), False)
    stub.move("/a", destination="/b")
    assert service.moved == [(Operation("me", 7, 0), "/a", "/b")]
    assert over(served("data_node:1801")).report(80, (Entry("x", 2),)) == 82


def test_a_part_of_a_service_may_answer() -> None:
    service = served()

    @serves(Small, by="clerk")
    class Other(ShelfService):
        """The clerk's."""

    other = Other()
    other.exposed_move(("me", 1), "/a", "/b")
    assert other.clerk.seen == [(Operation("me", 1), "/a", "/b")] and not other.moved
    assert not service.clerk.seen


WRONG: Tuple[Tuple[str, tuple, str], ...] = (
    ("page", (), "page"), ("page", ("/a", "b", 1, 2), "4 arguments"), ("page", (5,), "path"),
    ("page", ("/a", "", -1), "limit"), ("page", ("/a", "", True), "limit"),
    ("page", ("/a", "", 1.0), "limit"), ("page", ("x" * 65537,), "path"),
    ("page", (b"/a",), "path"), ("move", ("/a", "/b"), "2 arguments"),
    ("move", ("me", "/a", "/b"), "op"), ("move", (("me", -1), "/a", "/b"), "op|number"),
    ("move", ((5, 1), "/a", "/b"), "client_id"), ("move", (("me", 1), "/a", None), "destination"),
)


@pytest.mark.parametrize("name, args, told", WRONG, ids=str)
def test_arguments_that_are_none_of_its_kinds_reach_nobody(
    name: str, args: tuple, told: str
) -> None:
    service = served()
    with pytest.raises(InvalidArgument, match=told) as caught:
        getattr(service, f"exposed_{name}")(*args)
    assert caught.value.message.startswith(name) and len(caught.value.message) < 300
    assert not service.moved


@pytest.mark.parametrize("principal", ["user:data_node", "anonymous", "", "data_nodes", "user:x"])
def test_a_call_for_one_role_refuses_the_others(principal: str) -> None:
    with pytest.raises(PermissionDenied, match="may not call report"):
        served(principal).exposed_report(80)
    assert served("data_node").exposed_report(80) == 80


def test_an_answer_of_another_kind_is_refused() -> None:
    for odd in (None, 5, (b"[]",), ([], True), (b"[[1]]", True), (b"[", True), (b"[]", 1)):
        with pytest.raises(ProtocolViolation):
            Shelf(lambda *_, odd=odd: odd).page("/a")
    with pytest.raises(ProtocolViolation):
        Shelf(lambda *_: "something").move("/a", "/b")


def test_the_time_for_an_answer_is_the_callers() -> None:
    told: List[Optional[float]] = []

    def perform(_call: Call, _args: tuple, seconds: Optional[float]) -> Any:
        told.append(seconds)

    stub = Shelf(perform)
    stub.move("/a", "/b")
    stub.within(2.5).move("/a", "/b")
    stub.move("/a", "/b")
    assert told == [None, 2.5, None]


def test_a_description_tells_what_servers_need_to_know() -> None:
    calls = calls_of(Shelf)
    assert list(calls) == ["move", "page", "read", "report", "write"]
    assert str(calls["move"]) == "move(op, source, destination)"
    assert (calls["write"].body, calls["read"].body) == (TAKES_BODY, ANSWERS_WITH_BODY)
    write = ShelfService.exposed_write  # type: ignore[attr-defined]
    assert (write.body, write.waits, write.__doc__) == (TAKES_BODY, True, "Takes a body.")
    assert served().exposed_write("packets", 3) == ("packets", "3")
    assert calls["write"].result(("a", "b")) == ("a", "b"), "of the body's end"


def test_a_rule_says_what_it_wanted() -> None:
    odd = Annotated[int, Between(3, 5)]

    class Odd(Calls):
        """One call."""

        @call(TELLS)
        def tell(self, number: odd) -> None:  # type: ignore[valid-type]
            """A number."""

    with pytest.raises(InvalidArgument, match="number: expected a whole number from 3 to 5"):
        calls_of(Odd)["tell"].checked((9,))
    assert calls_of(Odd)["tell"].checked((4,)) == (4,)
