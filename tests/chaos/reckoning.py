"""The judgement of one stretch of a trial, from facts that can be kept and judged again."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from tests.chaos import invariants
from tests.chaos.calls import LIMITED, ROOMS
from tests.chaos.contents import Contents
from tests.chaos.explanation import NotJudged, Unexplained, explain
from tests.chaos.history import OK, REFUSED, Call, Note
from tests.chaos.invariants import RecordedEdit, StoredFile
from tests.chaos.model import Model, State, used
from tests.support.disks.every_replica import Replica
from zookeeper.fabric.errors import InternalError, NotADirectory, PathExists


WRITERS = frozenset({"put", "start"})
"""The kinds of calls that make a file appear at a path."""


class Facts(NamedTuple):
    """What is known of a cluster that came to rest, or should have.

    `files` and `state` are as the namenode tells, `disks` (role -> block -> replica) and `edits`
    as they are found past it; `used` is what counts for the quotas of the limited room.
    """

    state: State
    files: Dict[str, StoredFile]
    disks: Dict[str, Dict[str, Replica]]
    told: Dict[str, tuple]
    recorded: Dict[str, tuple]
    edits: Tuple[RecordedEdit, ...]
    used: Tuple[int, int]


class Stretch(NamedTuple):
    """All calls between two moments at which nobody called; what was before and, when the cluster
    came to rest, after them."""

    before: State
    calls: List[Call]
    notes: List[Note]
    after: Optional[State]


class Reckoner:
    """Judges; each method gives its complaints. `undecided` are those that took too long."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.undecided: List[str] = []
        self._model = Model(contents)

    def judge_stretch(self, stretch: Stretch) -> List[str]:
        """I1-I5, I7, I9, I10: one order of events explains all that clients were told."""
        broken = [str(call) for call in stretch.calls if call.result is InternalError]
        complaints = [f"I7: a defect was met: {call}" for call in broken]
        writers = [call for call in stretch.calls if call.kind in WRITERS]
        telling = [call for call in stretch.calls if not _is_refused_for_a_writer(call, writers)]
        for room in ROOMS:
            own = [call for call in telling if _is_in(call.args[0], room.path)]
            after = None if stretch.after is None else below(stretch.after, room.path)
            try:
                explain(self._model, below(stretch.before, room.path), own, after)
            except Unexplained as error:
                complaints.append(f"I1-I5, I9, I10: in {room.path}: {self._with_legend(error)}")
            except NotJudged as error:
                self.undecided.append(f"in {room.path}: {self._with_legend(error)}")
        return complaints

    def judge_facts(self, facts: Facts) -> List[str]:
        """I1, I4, I6, I8, I9: the namenode, its record and the disks say the same."""
        complaints = invariants.judge_disks(facts.files, facts.disks)
        complaints += invariants.judge_names(facts.told, facts.recorded)
        complaints += invariants.judge_record(facts.edits)
        counted = used(self.contents, facts.state, LIMITED.path)
        if counted != facts.used:
            complaints.append(
                f"I6: {LIMITED.path} has {counted} names and bytes, {facts.used} count for quotas"
            )
        return complaints

    def _with_legend(self, error: Exception) -> str:
        """A complaint with a word on each content in it."""
        words = {word.strip("'\",()") for word in str(error).split()}
        keys = sorted(word for word in words if word.partition(":")[0].isdecimal() and ":" in word)
        legend = [f"\n    {key} is {self.contents.describe(key)}" for key in keys]
        return f"{error}{''.join(legend)}"


def below(state: State, room: str) -> State:
    """What of a state is about one room."""
    return {name: node for name, node in state.items() if _is_in(name.split(" ")[-1], room)}


def _is_refused_for_a_writer(call: Call, writers: Sequence[Call]) -> bool:
    """Whether a call may have been told that something exists which nobody sees yet, or saw.

    A file that is being written holds its name from its creation on, and for some time after a
    writer that nobody heard any more. It replaces only what stood there when it was created, so
    that a namenode which did not know of it may have let another file come there meanwhile.
    """
    if call.outcome != REFUSED:
        return False
    meanwhile = [
        one.args[0]
        for one in writers
        if one is not call
        and one.began <= call.ended
        and (one.ended >= call.began or one.outcome != OK)
    ]
    if call.result is NotADirectory:
        # It is a file for whoever makes a directory in its place or on the way through it.
        made = call.args[0] if call.kind == "mkdir" else call.args[0].rpartition("/")[0]
        makes = call.kind == "mkdir" or call.kind in WRITERS
        return makes and any(_is_in(made, path) for path in meanwhile)
    if call.result is not PathExists:
        return False
    if call.kind in WRITERS:
        return bool(call.args[3])
    return call.kind == "rename" and call.args[1] in meanwhile


def _is_in(path: Any, room: str) -> bool:
    return path == room or path.startswith(room + "/")
