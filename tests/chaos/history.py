"""What every client asked, when, and what it was told; and what was broken meanwhile."""

import itertools
import time
from collections import Counter
from typing import Any, Callable, List, NamedTuple, Tuple

from zookeeper.fabric import errors

OK, REFUSED, FAILED, UNKNOWN = "ok", "refused", "failed", "unknown"
"""Done; told that the tree does not allow it; certainly not done; done or not, nobody knows."""

READS = frozenset({"get", "list", "page", "quota"})

_REFUSALS = (
    errors.PathNotFound,
    errors.PathExists,
    errors.NotADirectory,
    errors.IsADirectory,
    errors.InvalidArgument,
    errors.PermissionDenied,
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

    `result` is what an OK call returned; the class of the error of any other one. `user` is who
    asks, empty for the superuser.
    """

    number: int
    client: str
    kind: str
    args: tuple
    began: float
    ended: float
    outcome: str
    result: Any
    user: str = ""

    @property
    def changes_nothing(self) -> bool:
        """Whether the answer says that the call left everything as it was, wherever it took
        place: a read, a refusal, or a deletion that found nothing."""
        found_nothing = self.kind == "delete" and self.result is False
        return self.kind in READS or self.outcome == REFUSED or found_nothing

    def __str__(self) -> str:
        words = " ".join(map(str, self.args))
        result = getattr(self.result, "__name__", self.result)
        said = "" if self.result is None else f" {result}"
        who = f"{self.client} as {self.user}" if self.user else self.client
        return f"{self.began:8.3f} {self.ended:8.3f} {who}: {self.kind} {words}" + (
            f" -> {self.outcome}{said}"
        )


class Note(NamedTuple):
    """Something that happened to the cluster."""

    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.at:8.3f} *** {self.text}"


class History:
    """The calls and notes of a stretch of time; any thread may add to it.

    `counts` are of all stretches: how often a kind of call had which outcome.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._numbers = itertools.count(1)
        self.calls: List[Call] = []
        self.notes: List[Note] = []
        self.counts: "Counter[Tuple[str, str]]" = Counter()

    @property
    def now(self) -> float:
        """Seconds since the history began."""
        return time.monotonic() - self._started

    def note(self, text: str) -> None:
        """Write down what was done to the cluster."""
        self.notes.append(Note(self.now, text))

    def run(
        self, client: str, kind: str, args: tuple, action: Callable[[], Any], user: str = ""
    ) -> Call:
        """Call `action` and write down what came of it; errors of the family do not leave here."""
        number, began = next(self._numbers), self.now
        try:
            outcome, result = OK, action()
        except errors.DfsError as error:
            outcome, result = outcome_of(kind, error), type(error)
        call = Call(number, client, kind, args, began, self.now, outcome, result, user)
        self.calls.append(call)
        return call

    def forget(self) -> None:
        """Drop the stretch, which was judged; nobody may add to it meanwhile."""
        self.counts.update((call.kind, call.outcome) for call in self.calls)
        self.calls, self.notes = [], []

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
