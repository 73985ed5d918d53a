"""The members of the quorum change: a disk is lost at any time, and another takes its place.

Disks 0, 1 and 2 are the members at first. When 2 is wiped, the blank disk 3 comes in its place.
A configuration is (version, sets of members): what is decided needs a majority of every set. The
change is a joint decision: first both sets count, then the new one alone. All this happens within
an epoch, and leaders come and go meanwhile as in `log_model.py`, where messages are explained.

One rule rests on what a leader has *not* heard: it may only end a change when nothing is lost that
a member may have applied which decided alone. So the answer of such a member may be lost, too;
elsewhere who hears less can only do less.
"""

from itertools import combinations
from typing import FrozenSet, Iterable, Iterator, NamedTuple, Optional, Sequence, Tuple

from tests.protocol.explorer import Model, Step, demand
from tests.protocol.log_model import CLAIMS, GONE, LEADS, Log, begins, put

Configuration = Tuple[int, Tuple[FrozenSet[int], ...]]
NOT_TOLD: Configuration = (0, ())


class Disk(NamedTuple):
    """What a member has stored."""

    promised: int
    log_epoch: int
    log: Log
    applied: int
    configuration: Configuration


class Candidate(NamedTuple):
    """It claims, with what each disk told it; or it leads.

    `stored` and `versions` are, for each disk, how many edits and which configuration it said
    that it has stored in this candidate's epoch. `noted` is how long the log was when both sets
    of a change knew of it; NEVER: they do not yet, or there is no change.
    """

    phase: int
    promises: Tuple[Optional[Disk], ...]
    base: int
    log: Log
    configuration: Configuration
    stored: Tuple[int, ...]
    versions: Tuple[int, ...]
    noted: int


class State(NamedTuple):
    """`decided` is the longest log that anybody could be told of: by a leader that counted it, or
    by a member that decided alone. `newest` is the newest epoch in which anybody was established
    as the leader."""

    disks: Tuple[Disk, ...]
    candidates: Tuple[Candidate, ...]
    decided: Log
    wiped: bool
    newest: int


Steps = Iterator[Tuple[Step, State]]
NEVER = -1
SILENT = Candidate(GONE, (), 0, (), NOT_TOLD, (), (), NEVER)


def is_quorum(disks: Iterable[int], configuration: Configuration) -> bool:
    """Whether these disks have a majority of every set."""
    return all(2 * len(some.intersection(disks)) > len(some) for some in configuration[1])


class MembersModel(Model[State]):
    """Candidates of these epochs and so many edits; with `back`, a leader may give a change up.

    With `led`, all members have adopted the empty log of the first candidate when it begins.
    """

    old = frozenset((0, 1, 2))
    new = frozenset((0, 1, 3))

    def __init__(
        self, epochs: Sequence[int], edits: int, back: bool = False, led: bool = False
    ) -> None:
        self.epochs = tuple(epochs)
        self.edits = edits
        self.back = back
        self.led = led
        self.disks = sorted(self.old | self.new)
        self.nothing = (None,) * len(self.disks)
        self.groups = [frozenset(some) for count in range(1, len(self.disks) + 1)
                       for some in combinations(self.disks, count)]

    def first(self) -> State:
        """Members that have nothing, and blank disks."""
        start: Configuration = (1, (self.old,))
        member, blank = Disk(0, 0, (), 0, start), Disk(0, 0, (), 0, NOT_TOLD)
        none, count = NEVER, len(self.disks)
        claiming = Candidate(
            CLAIMS, self.nothing, 0, (), NOT_TOLD, (none,) * count, (0,) * count, none)
        candidates = (claiming,) * len(self.epochs)
        are_old = [m in self.old for m in self.disks]
        if not self.led:
            disks = tuple([member if is_old else blank for is_old in are_old])
            return State(disks, candidates, (), False, 0)
        epoch = self.epochs[0]
        stored = tuple([0 if is_old else none for is_old in are_old])
        leader = Candidate(
            LEADS, self.nothing, 0, (), start, stored, tuple(map(int, are_old)), none)
        adopted = member._replace(promised=epoch, log_epoch=epoch)
        disks = tuple([adopted if is_old else blank for is_old in are_old])
        return State(disks, put(candidates, 0, leader), (), False, epoch)

    def successors(self, state: State) -> Steps:
        """What a disk answers next, or loses, or a candidate does by itself."""
        alive = self.alive(state)
        for k, candidate in enumerate(state.candidates):
            if candidate.phase == CLAIMS:
                for m in alive:
                    yield from self.claim(state, k, m)
                yield from self.choose(state, k)
            elif candidate.phase == LEADS:
                for m in alive:
                    yield from self.adopt(state, k, m)
                    yield from self.append(state, k, m)
                yield from self.propose(state, k)
                yield from self.change(state, k)
        yield from self.wipe(state)
        for m in alive:
            for source in alive:
                if m != source and not self.decides_alone(m, state.disks[m]):
                    yield from self.pull(state, m, source)

    def wipe(self, state: State) -> Steps:
        """Disk 2 is lost, once."""
        if not state.wiped:
            yield ("disk 2 is wiped",), self.made(state._replace(disks=self.after_wipe(state.disks),
                                                                 wiped=True))

    def made(self, state: State) -> State:
        """The state, without candidates that all members have left."""
        least = min(state.disks[m].promised for m in self.alive(state))
        candidates = state.candidates
        for k, epoch in enumerate(self.epochs):
            if epoch < least and candidates[k].phase != GONE:
                candidates = put(candidates, k, SILENT)
        return state._replace(candidates=candidates)

    def agreed(self, candidate: Candidate) -> int:
        """How many edits majorities of all sets have in its epoch; -1: it is not established."""
        least, stored = self.edits, candidate.stored
        for some in candidate.configuration[1]:
            least = min(least, sorted([stored[m] for m in some])[(len(some) - 1) // 2])
        return least

    def claim(self, state: State, k: int, m: int) -> Steps:
        """A disk promises an epoch, and says what it has."""
        epoch, disk, candidate = self.epochs[k], state.disks[m], state.candidates[k]
        if epoch > disk.promised:
            told = candidate._replace(promises=put(candidate.promises, m, disk))
            yield ("c{} claims epoch {} of {} with {}", k, epoch, m, disk), self.made(
                state._replace(disks=put(state.disks, m, disk._replace(promised=epoch)),
                               candidates=put(state.candidates, k, told)))

    def choose(self, state: State, k: int) -> Steps:
        """A candidate takes the best log, when a quorum of the newest configuration told it."""
        promises = state.candidates[k].promises
        chosen = {}
        for some in self.groups:
            told = [promises[m] for m in sorted(some)]
            if None in told:
                continue
            newest = max(disk.log_epoch for disk in told)
            best = [disk for disk in told if disk.log_epoch == newest]
            configuration = self.newest_configuration(best)
            if configuration[1] and is_quorum(some, configuration):
                log = max((disk.log for disk in best), key=len)
                chosen[log, configuration] = None
                # A disk may be full at any time, and who has no room is spared what need not be.
                chosen[log[: self.spared(promises, some, configuration)], configuration] = None
        for log, configuration in chosen:
            stored, versions = (NEVER,) * len(self.disks), (0,) * len(self.disks)
            new = Candidate(
                LEADS, self.nothing, len(log), log, configuration, stored, versions, NEVER)
            yield ("c{} chooses {} with {}", k, log, configuration), self.made(
                state._replace(candidates=put(state.candidates, k, new)))

    def propose(self, state: State, k: int) -> Steps:
        """An established leader of whom everything is decided takes one more edit in hand."""
        candidate = state.candidates[k]
        if self.agreed(candidate) == len(candidate.log) < self.edits:
            new = candidate._replace(log=(*candidate.log, k))
            yield ("c{} proposes edit {}", k, len(new.log)), self.made(
                state._replace(candidates=put(state.candidates, k, new)))

    def adopt(self, state: State, k: int, m: int) -> Steps:
        """A disk takes over a leader's log and configuration; later, only a newer configuration."""
        epoch, disk, candidate = self.epochs[k], state.disks[m], state.candidates[k]
        if disk.promised > epoch:
            return
        if disk.log_epoch == epoch:
            if candidate.configuration[0] > disk.configuration[0]:
                new = disk._replace(configuration=candidate.configuration)
                yield from self.answered(
                    ("{} stores {} of c{}", m, candidate.configuration, k),
                    state, k, m, new, candidate.stored[m])
            return
        for upto in sorted({candidate.base, len(candidate.log)}):
            log = candidate.log[:upto]
            if begins(disk.log[: disk.applied], log):
                new = Disk(epoch, epoch, log, disk.applied, candidate.configuration)
                yield from self.answered(
                    ("{} adopts {} of c{} with {}", m, log, k, candidate.configuration),
                    state, k, m, new, max(candidate.stored[m], upto))

    def append(self, state: State, k: int, m: int) -> Steps:
        """A disk stores what is missing, and applies what the leader knows as decided."""
        epoch, disk, candidate = self.epochs[k], state.disks[m], state.candidates[k]
        if disk.promised != epoch or disk.log_epoch != epoch:
            return
        log = disk.log + candidate.log[len(disk.log) :]
        if not begins(log, candidate.log):
            return
        for decided in sorted({0, max(0, self.agreed(candidate))}):
            new = disk._replace(log=log, applied=max(disk.applied, min(decided, len(log))))
            if new != disk or candidate.stored[m] < len(log):
                yield from self.answered(
                    ("{} appends {} of c{}, {} decided", m, log, k, decided),
                    state, k, m, new, max(candidate.stored[m], len(log)), told_version=False)

    def answered(
        self, step: Step, state: State, k: int, m: int, disk: Disk, stored: int,
        told_version: bool = True,
    ) -> Steps:  # fmt: skip
        """A disk has stored something, and the leader hears of it, or does not."""
        candidate = state.candidates[k]
        versions, decided = candidate.versions, state.decided
        is_alone = self.decides_alone(m, disk)
        if is_alone:
            disk = disk._replace(applied=len(disk.log))
            if begins(decided, disk.log):
                decided = disk.log
        state = state._replace(disks=put(state.disks, m, disk), decided=decided)
        if is_alone:
            words, *gaps = step
            yield (f"{words}, unheard", *gaps), self.made(state)
        if told_version:
            versions = put(versions, m, max(versions[m], disk.configuration[0]))
        candidate = candidate._replace(stored=put(candidate.stored, m, stored), versions=versions)
        if candidate.noted == NEVER and self.is_known(candidate):
            candidate = candidate._replace(noted=len(candidate.log))
        yield step, self.counted(state, k, candidate)

    def counted(self, state: State, k: int, candidate: Candidate) -> State:
        """The state with all that this leader, as it is now, could have acknowledged."""
        agreed, newest, decided = self.agreed(candidate), state.newest, state.decided
        if agreed >= 0:
            newest = max(newest, self.epochs[k])
            if agreed > len(decided) and begins(decided, candidate.log[:agreed]):
                decided = candidate.log[:agreed]
        return self.made(State(state.disks, put(state.candidates, k, candidate), decided,
                               state.wiped, newest))

    def change(self, state: State, k: int) -> Steps:
        """A leader begins the change, ends it, or goes back from it."""
        candidate = state.candidates[k]
        version, sets = candidate.configuration
        is_joint = len(sets) == 2
        news = []
        if self.back and is_joint and version == 2:
            news.append((version + 1, sets[:1]))
        if is_joint and self.may_leave_joint(candidate):
            news.append((version + 1, sets[1:]))
        if (sets == (self.old,) and version < 3 and self.wants_others(state)
                and self.agreed(candidate) >= 0):
            news.append((version + 1, self.sets_of_a_change()))
        for configuration in news:
            new = candidate._replace(configuration=configuration, noted=NEVER)
            yield ("c{} goes on with {}", k, configuration), self.counted(state, k, new)

    def pull(self, state: State, m: int, source: int) -> Steps:
        """A disk takes from another what that one has applied."""
        disk, other = state.disks[m], state.disks[source]
        log = other.log[: other.applied]
        if len(log) > disk.applied and begins(disk.log[: disk.applied], log):
            held = disk.log if begins(log, disk.log) else log
            new = disk._replace(log=held, applied=len(log))
            yield ("{} pulls {} of {}", m, log, source), self.made(
                state._replace(disks=put(state.disks, m, new)))

    # The rules. Each of these is what a planted mistake gets wrong.

    def alive(self, state: State) -> Tuple[int, ...]:
        """Which disks answer: a wiped one is another member from then on."""
        return (0, 1, 3) if state.wiped else (0, 1, 2)

    def after_wipe(self, disks: Tuple[Disk, ...]) -> Tuple[Disk, ...]:
        """What the disks have after the loss of one, whose old self never speaks again."""
        return disks

    def spared(
        self, promises: Sequence[Optional[Disk]], heard: FrozenSet[int],
        configuration: Configuration,
    ) -> int:  # fmt: skip
        """Up to which edit a majority of any set may have stored a log, for all that these say."""
        upto = 0
        for some in configuration[1]:
            told = [promises[m] if m in heard else None for m in some]
            lengths = sorted(self.edits if disk is None else len(disk.log) for disk in told)
            upto = max(upto, lengths[(len(lengths) - 1) // 2])
        return upto

    def newest_configuration(self, best: Sequence[Disk]) -> Configuration:
        """Of the disks with the newest log epoch, the newest configuration counts."""
        return max((disk.configuration for disk in best), key=lambda found: found[0])

    def sets_of_a_change(self) -> Tuple[FrozenSet[int], ...]:
        """Who decides while members change: both."""
        return (self.old, self.new)

    def wants_others(self, state: State) -> bool:
        """Whether the members are to change."""
        return state.wiped

    def decides_alone(self, m: int, disk: Disk) -> bool:
        """Whether what a member has stored is decided, and applied in the same transaction."""
        return disk.configuration[1] == (frozenset((m,)),)

    def may_leave_joint(self, candidate: Candidate) -> bool:
        """Both sets know of the change, and the new one has all that was sent before they did.

        The old members may have decided any of that alone; a single one may even have applied it
        before anybody heard so. What is sent later is decided by both, or by the new ones.
        """
        version, sets = candidate.configuration
        new = self.agreed(candidate._replace(configuration=(version, sets[1:])))
        return 0 <= candidate.noted <= new

    def is_known(self, candidate: Candidate) -> bool:
        """Whether majorities of both sets have stored the joint configuration."""
        version, sets = candidate.configuration
        return len(sets) == 2 and is_quorum(
            [m for m in self.disks if candidate.versions[m] >= version], candidate.configuration)

    def check(self, state: State) -> None:
        """No two logs decided, none lost, and nothing applied that is not decided."""
        for m, disk in enumerate(state.disks):
            demand(begins(disk.log[: disk.applied], state.decided),
                   "{} has applied {} of {}, decided are {}",
                   m, disk.applied, disk.log, state.decided)
        for k, candidate in enumerate(state.candidates):
            if candidate.phase != LEADS:
                continue
            known = candidate.log[: max(0, self.agreed(candidate))]
            demand(begins(known, state.decided), "c{} decides {} beside {}",
                   k, known, state.decided)
            if self.epochs[k] >= state.newest:
                demand(begins(state.decided, candidate.log),
                       "c{} goes on in epoch {} with {}, without {}",
                       k, self.epochs[k], candidate.log, state.decided)
