"""A call as data: what a service answers, said once for both sides.

Theory of operation. A table of calls is a class. Each of its methods has a signature, a docstring,
no body, and the mark `@call`:

    class ClerkCalls(Calls):
        @call(READS)
        def length(self, path: Text) -> Natural:
            \"\"\"Bytes of a file.\"\"\"

All else comes from that one description. The service says `@serves(ClerkCalls)` and has a method
`length`; callers, RPyC's own among them, reach it as `root.length(path)`, after the arguments were
checked against their kinds and the caller against `who`. An instance of the table is the client's
stub: `ClerkCalls(perform).length("/f")` hands the Call and its arguments to `perform`, and what
comes back is a Natural, or a ProtocolViolation. Type checkers see one signature on both sides.

What is noted of calls (how often, how long, by whom on which path) has their names and parameters
from here, too.
"""

import functools
import inspect
from functools import cached_property
from typing import (
    Any,
    Callable,
    Dict,
    List,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    cast,
    get_args,
    get_origin,
)

from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.kinds import Malformed, Natural, Text, decode, decoder_of, packs

READS, CHANGES, TELLS = "reads", "changes", "tells"
"""What a call does: nothing; something, under an Operation that makes repeating it have one effect;
or something that is the same when it is done again."""

TAKES_BODY, ANSWERS_WITH_BODY = "takes", "answers"

Result = TypeVar("Result", covariant=True)
Described = TypeVar("Described", bound=Callable[..., Any])
Table = TypeVar("Table", bound="Calls")
Served = TypeVar("Served", bound=type)


class Operation(NamedTuple):
    """The first argument of a call that CHANGES: the client and the number of its call, which every
    repetition has again, and the least number of the calls that it still waits for."""

    client_id: Text
    number: Natural
    floor: Natural = 0


class Sending(Protocol[Result]):
    """The caller's side of a call that takes a body."""

    def send(self, data: Any, checksum: int) -> None:
        """Send one packet, or raise the error that the server replied early with."""

    def end(self) -> None:
        """Mark the body as whole without waiting; `result` then waits."""

    def result(self) -> Result:
        """The call's result, once `end` was called."""

    def finish(self) -> Result:
        """Mark the body as whole and return the call's result."""

    def close(self) -> None:
        """Hang up in the middle of the body, which the server then drops; or do nothing."""


class Receiving(Protocol):
    """The caller's side of a call that answers with a body."""

    def receive(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The next packet (bytes, CRC32) in `buffer`; None once the body is over and whole."""

    def close(self) -> None:
        """Hang up, unless the body is over."""


class ReceivingFile(Receiving, Protocol):
    """The same of one that hands open files over, to who calls it by a Unix socket."""

    def receive_file(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The bytes of the next packet in `buffer`, and the open file that came beside them, which
        is the caller's to close; None once the body is over and whole."""


_BODIES: Dict[Any, str] = {
    Sending: TAKES_BODY,
    Receiving: ANSWERS_WITH_BODY,
    ReceivingFile: ANSWERS_WITH_BODY,
}


class Parameter(NamedTuple):
    """One argument of a call."""

    name: str
    kind: Any


class Call:
    """One call of a service. `body` is "", TAKES_BODY or ANSWERS_WITH_BODY; `who` are the roles
    that may call it, everybody when it is empty, and `superuser` leaves only the service's own
    administrators; `waits` says that it may wait for what happens elsewhere."""

    def __init__(
        self,
        function: Callable[..., Any],
        effect: str,
        who: Tuple[str, ...],
        superuser: bool,
        waits: bool,
    ) -> None:
        self.name = function.__name__
        self.effect, self.who, self.superuser, self.waits = effect, who, superuser, waits
        self._function = function

    # What follows from the signature is found when it is first asked for: a command makes one or
    # two of the namenode's sixty calls, and would wait while the others are taken apart.

    @cached_property
    def meaning(self) -> str:
        """What the call does, for a person."""
        return inspect.getdoc(self._function) or ""

    @cached_property
    def parameters(self) -> Tuple[Parameter, ...]:
        """What is sent, in this order."""
        found = [Parameter(item.name, item.annotation) for item in self._found]
        first = [Parameter("op", Operation)] if self.effect == CHANGES else []
        return tuple(first + found)

    @cached_property
    def body(self) -> str:
        """Which side sends packets, if any does."""
        kind = self._signature.return_annotation
        return _BODIES.get(get_origin(kind) or kind, "")

    @cached_property
    def result_kind(self) -> Any:
        """What the answer is, with a body that follows it or goes before it."""
        kind = self._signature.return_annotation
        return get_args(kind)[0] if self.body == TAKES_BODY else kind

    @cached_property
    def packed(self) -> Callable[[Any], Any]:
        """Makes of a result what is sent."""
        return packs(None if self.body else self._signature.return_annotation)

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self._function)

    @property
    def _found(self) -> List[inspect.Parameter]:
        return list(self._signature.parameters.values())[1:]

    @cached_property
    def _defaults(self) -> Dict[str, Any]:
        return {item.name: item.default for item in self._found if item.default is not item.empty}

    @cached_property
    def _checks(self) -> List[Tuple[str, Callable[[Any, str], Any]]]:
        return [(item.name, decoder_of(item.kind)) for item in self.parameters]

    def checked(self, args: Sequence[Any]) -> Tuple[Any, ...]:
        """Arguments from the wire, rebuilt as what they must be; raises InvalidArgument."""
        if not 0 <= len(self._checks) - len(args) <= len(self._defaults):
            raise InvalidArgument(f"{self}: {len(args)} arguments were given")
        try:
            return tuple([
                decoder(value, name) for (name, decoder), value in zip(self._checks, args)
            ])
        except Malformed as error:
            raise InvalidArgument(f"{self.name}: {error}") from None

    def ordered(self, args: Tuple[Any, ...], named: Dict[str, Any]) -> Tuple[Any, ...]:
        """Arguments as they are sent: by position."""
        names = [item.name for item in self.parameters][self.effect == CHANGES:]
        given = dict(zip(names, args))
        given.update(named)
        last = max([names.index(name) for name in given], default=-1)
        return tuple([
            given[name] if name in given else self._defaults[name] for name in names[: last + 1]
        ])

    def result(self, answer: Any) -> Any:
        """What a server answered, as what it must be; raises ProtocolViolation."""
        return decode(self.result_kind, answer)

    def __str__(self) -> str:
        return f"{self.name}({', '.join([item.name for item in self.parameters])})"

    def __repr__(self) -> str:
        return f"<Call {self}>"


Perform = Callable[[Call, Tuple[Any, ...], Optional[float]], Any]
"""Carries a call out, within so many seconds or its own measure: the server's answer as it came, or
for a call with a body the caller's side of that."""


class Calls:
    """A table of calls, and a stub: its methods hand themselves to `perform`.

    `class ClerkCalls(Calls, who=(CLERK,))` says who may call those that name nobody themselves.
    """

    def __init_subclass__(cls, who: Tuple[str, ...] = ()) -> None:
        for described in [made.call for made in vars(cls).values() if hasattr(made, "call")]:
            described.who = described.who or who

    def __init__(self, perform: Perform, seconds: Optional[float] = None) -> None:
        self._perform = perform
        self._seconds = seconds

    def within(self: Table, seconds: float) -> Table:
        """The same stub, whose calls have to be answered within so many seconds."""
        return type(self)(self._perform, seconds)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def call(
    effect: str, *, who: Tuple[str, ...] = (), superuser: bool = False, waits: bool = False
) -> Callable[[Described], Described]:
    """Mark a method of a table: see Call for what the arguments mean."""

    def describe(function: Described) -> Described:
        described = Call(function, effect, who, superuser, waits)

        @functools.wraps(function)
        def stub(self: Calls, *args: Any, **named: Any) -> Any:
            if named:
                args = described.ordered(args, named)
            answer = self._perform(described, args, self._seconds)
            return answer if described.body else described.result(answer)

        stub.call = described  # type: ignore[attr-defined]
        return cast(Described, stub)

    return describe


def calls_of(table: Type[Calls]) -> Dict[str, Call]:
    """The calls of a table and of those that it is made of, by name."""
    methods = [getattr(table, name) for name in dir(table)]
    found = [method.call for method in methods if hasattr(method, "call")]
    return {described.name: described for described in found}


def serves(table: Type[Calls], by: str = "") -> Callable[[Served], Served]:
    """Make a service answer the calls of a table: by methods of the same names, its own or those of
    its attribute `by`."""

    def decorate(service: Served) -> Served:
        for described in calls_of(table).values():
            setattr(service, f"exposed_{described.name}", _exposed(described, by))
        return service

    return decorate


def _exposed(described: Call, by: str) -> Callable[..., Any]:
    name = described.name

    def method_of(service: Any) -> Any:
        return getattr(getattr(service, by) if by else service, name)

    def answer(service: Any, *args: Any) -> Any:
        return service.answer(described, method_of(service), args)

    def answer_with_packets(service: Any, packets: Any, *args: Any) -> Any:
        return service.answer(described, functools.partial(method_of(service), packets), args)

    exposed: Any = answer_with_packets if described.body else answer
    exposed.__name__ = f"exposed_{name}"
    exposed.__doc__ = described.meaning
    exposed.body, exposed.waits = described.body or None, described.waits
    return cast(Callable[..., Any], exposed)
