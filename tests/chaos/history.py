"""What every client asked, when, and what it was told; and what was broken meanwhile."""

import hashlib
import itertools
import time
from typing import Any, Callable, Dict, List, NamedTuple

from tests.support.replicas import noise
from zookeeper.fabric import errors

OK, REFUSED, FAILED, UNKNOWN = "ok", "refused", "failed", "unknown"
"""Done; told that the tree does not allow it; certainly not done; done or not, nobody knows."""

READS = frozenset({"get", "list"})

_REFUSALS = (
    errors.PathNotFound,
    errors.PathExists,
    errors.NotADirectory,
    errors.IsADirectory,
    errors.InvalidArgument,
)
_DOUBTS = (
    errors.Unavailable,
    errors.NotLeader,
    errors.Busy,
    errors.SafeMode,
    errors.Fenced,
    errors.SessionExpired,
    errors.ProtocolViolation,
    errors.InternalError,
)


class Call(NamedTuple):
    """One call of one client. Times are seconds since the history began.

    `result` is what an OK call returned; the class of the error of any other one.
    """

    number: int
    client: str
    kind: str
    args: tuple
    began: float
    ended: float
    outcome: str
    result: Any

    def __str__(self) -> str:
        words = " ".join(map(str, self.args))
        result = getattr(self.result, "__name__", self.result)
        said = "" if self.result is None else f" {result}"
        return f"{self.began:8.3f} {self.ended:8.3f} {self.client}: {self.kind} {words}" + (
            f" -> {self.outcome}{said}"
        )


class Note(NamedTuple):
    """Something that happened to the cluster."""

    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.at:8.3f} *** {self.text}"


class History:
    """All calls and notes; any thread may add to it."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._numbers = itertools.count(1)
        self.calls: List[Call] = []
        self.notes: List[Note] = []

    @property
    def now(self) -> float:
        """Seconds since the history began."""
        return time.monotonic() - self._started

    def note(self, text: str) -> None:
        """Write down what was done to the cluster."""
        self.notes.append(Note(self.now, text))

    def run(self, client: str, kind: str, args: tuple, action: Callable[[], Any]) -> Call:
        """Call `action` and write down what came of it; errors of the family do not leave here."""
        number, began = next(self._numbers), self.now
        try:
            outcome, result = OK, action()
        except errors.DfsError as error:
            outcome, result = outcome_of(kind, error), type(error)
        call = Call(number, client, kind, args, began, self.now, outcome, result)
        self.calls.append(call)
        return call

    def tail(self, count: int) -> str:
        """The newest calls and notes, in the order of time."""
        lines = [(call.began, str(call)) for call in self.calls[-count:]]
        lines += [(note.at, str(note)) for note in self.notes[-count:]]
        return "\n".join(text for _, text in sorted(lines)[-count:])


def outcome_of(kind: str, error: errors.DfsError) -> str:
    """What an error says about the tree, and about the change that was asked for.

    An error that is no refusal is no statement, and of a read there is nothing to be in doubt of.
    """
    if isinstance(error, _REFUSALS):
        return REFUSED
    return UNKNOWN if isinstance(error, _DOUBTS) and kind not in READS else FAILED


class Contents:
    """What is written into files: bytes that follow from a number, and are recognised again."""

    def __init__(self, sizes: List[int]) -> None:
        self._sizes = sizes
        self._numbers = itertools.count(1)
        self._known: Dict[bytes, int] = {}

    def new(self) -> int:
        """The number of a content that was never used before."""
        number = next(self._numbers)
        # Empty contents are all alike: the number of all of them is 0.
        if not self._sizes[number % len(self._sizes)]:
            return 0
        self._known[hashlib.sha256(self.data(number)).digest()] = number
        return number

    def data(self, number: int) -> bytes:
        """The bytes."""
        return noise(self._sizes[number % len(self._sizes)], number) if number else b""

    def number_of(self, data: bytes) -> int:
        """Which content this is; -1 when nobody ever wrote these bytes."""
        return self._known.get(hashlib.sha256(data).digest(), -1) if data else 0
