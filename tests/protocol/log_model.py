"""The log of a metadata quorum whose members stay the same: how leaders come and what they keep.

Members store what they know in one transaction, so each step of a member is one step here.
Messages need no model of their own. A request is whatever its sender could have sent since it
began: within an epoch a leader only ever says more, so a late or repeated request is a beginning
of a newer one. An answer is a fact that its reader may use at any later time, or never. A member
that crashes has lost nothing; a process that has stopped for good is one that takes no more steps.

A log is a tuple of who proposed each edit; nobody proposes two different ones for one place. The
members have no names: two states that differ only in who is who are the same state.
"""

from itertools import combinations
from typing import Iterator, List, NamedTuple, Sequence, Tuple

from tests.protocol.explorer import Model, Step, demand

Log = Tuple[int, ...]
Fact = Tuple[object, ...]
NOBODY = -1
UNKNOWN: Fact = ()
CLAIMS, LEADS, GONE = range(3)


class Member(NamedTuple):
    """What a member has stored, and what each candidate has been told of it.

    A candidate knows nothing (), or `(log_epoch, log)` as told with a promise, or, when it has
    chosen its log, `(edits,)`: how many the member has stored in the candidate's own epoch.
    """

    promised: int
    owner: int
    log_epoch: int
    log: Log
    applied: int
    told: Tuple[Fact, ...]


class Candidate(NamedTuple):
    """It claims; or leads with `base` edits found and more proposed; or is of no more effect."""

    phase: int
    base: int
    log: Log


class State(NamedTuple):
    """The members in any order; `decided` is the longest log that any leader could acknowledge."""

    members: Tuple[Member, ...]
    candidates: Tuple[Candidate, ...]
    decided: Log


Steps = Iterator[Tuple[Step, State]]
SILENT = Candidate(GONE, 0, ())


def begins(short: Log, long: Log) -> bool:
    """Whether one log is a beginning of the other."""
    return long[: len(short)] == short


def put(values: Tuple, index: int, value: object) -> Tuple:
    """The tuple with another value in one place."""
    return (*values[:index], value, *values[index + 1 :])


class LogModel(Model[State]):
    """Candidates of the given epochs (twice the same: two try for it), and so many edits at most.

    A leader has at most `undecided` edits under way at once. With `led`, all members have adopted
    the empty log of the first candidate when it begins. What the methods in the second half
    decide are the rules themselves: a planted mistake replaces one of them.
    """

    def __init__(
        self, members: int, epochs: Sequence[int], edits: int, undecided: int = 1, led: bool = False
    ) -> None:
        self.count = members
        self.epochs = tuple(epochs)
        self.edits = edits
        self.undecided = undecided
        self.led = led
        self.majority = members // 2 + 1

    def first(self) -> State:
        """Blank members, whom nobody has asked anything; or those of a leader."""
        member = Member(0, NOBODY, 0, (), 0, (UNKNOWN,) * len(self.epochs))
        candidates = (Candidate(CLAIMS, 0, ()),) * len(self.epochs)
        if self.led:
            epoch = self.epochs[0]
            member = Member(epoch, 0, epoch, (), 0, put(member.told, 0, (0,)))
            candidates = put(candidates, 0, Candidate(LEADS, 0, ()))
        return State((member,) * self.count, candidates, ())

    def successors(self, state: State) -> Steps:
        """What a member answers next, or a candidate does by itself."""
        seen = set()
        for number, member in enumerate(state.members):
            if member not in seen:
                seen.add(member)
                others = state.members[:number] + state.members[number + 1 :]
                yield from self.member_steps(state, member, others)
        for k, candidate in enumerate(state.candidates):
            if candidate.phase == CLAIMS:
                yield from self.choose(state, k)
            elif candidate.phase == LEADS:
                yield from self.propose(state, k)

    def member_steps(self, state: State, member: Member, others: Sequence[Member]) -> Steps:
        """What one member does: it answers candidates, or pulls from another member."""
        for k, candidate in enumerate(state.candidates):
            if candidate.phase == CLAIMS:
                yield from self.claim(state, member, others, k)
            elif candidate.phase == LEADS:
                yield from self.adopt(state, member, others, k)
                yield from self.append(state, member, others, k)
        yield from self.pull(state, member, others)

    def made(
        self, members: Sequence[Member], candidates: Tuple[Candidate, ...], decided: Log
    ) -> State:
        """The state, with all that any leader now could have acknowledged, in its plainest form."""
        for k, candidate in enumerate(candidates):
            if candidate.phase == LEADS:
                known = candidate.log[: max(0, self.agreed(members, k))]
                if len(known) > len(decided) and begins(decided, known):
                    decided = known
        least = min(member.promised for member in members)
        for k, epoch in enumerate(self.epochs):
            if epoch < least and candidates[k].phase != GONE and self.promises_last:
                # All members have left it: nothing that it does is of any effect.
                candidates = put(candidates, k, SILENT)
                members = [m._replace(told=put(m.told, k, UNKNOWN)) for m in members]
        return State(tuple(sorted(members)), candidates, decided)

    def agreed(self, members: Sequence[Member], k: int) -> int:
        """How many edits enough members have in k's epoch; -1 when too few adopted its log."""
        counts = [member.told[k][0] if len(member.told[k]) == 1 else -1 for member in members]
        counts.sort(reverse=True)
        return counts[self.enough_stored - 1]

    def claim(self, state: State, member: Member, others: Sequence[Member], k: int) -> Steps:
        """A member promises an epoch, and says what it has."""
        epoch = self.epochs[k]
        if epoch > member.promised or self.is_the_owner(member, k):
            fact = (member.log_epoch, member.log)
            new = member._replace(promised=epoch, owner=k, told=put(member.told, k, fact))
            if new != member:
                step = ("c{} claims epoch {} of a member with {} of epoch {}", k, epoch,
                        member.log, member.log_epoch)
                yield step, self.made([new, *others], state.candidates, state.decided)

    def choose(self, state: State, k: int) -> Steps:
        """A candidate that has heard enough members takes over what the best of them has."""
        told = [member.told[k] for member in state.members if member.told[k] != UNKNOWN]
        logs = set()
        for count in range(self.enough_promises, len(told) + 1):
            for heard in combinations(told, count):
                log = max(heard, key=self.rank)[1]
                logs.add(log)
                # A disk may be full at any time, and who has no room is spared what need not be.
                logs.add(log[: self.spared([len(one) for _, one in heard])])
        for log in sorted(logs):
            listening = [m._replace(told=put(m.told, k, UNKNOWN)) for m in state.members]
            new = Candidate(LEADS, len(log), log)
            yield ("c{} chooses {}", k, log), self.made(
                listening, put(state.candidates, k, new), state.decided)

    def propose(self, state: State, k: int) -> Steps:
        """A leader whose log a majority has adopted takes one more edit in hand."""
        candidate = state.candidates[k]
        agreed = self.agreed(state.members, k)
        if agreed < 0 or len(candidate.log) >= self.edits:
            return
        if len(candidate.log) - max(candidate.base, agreed) < self.undecided:
            new = candidate._replace(log=(*candidate.log, k))
            yield ("c{} proposes edit {}", k, len(new.log)), self.made(
                state.members, put(state.candidates, k, new), state.decided)

    def adopt(self, state: State, member: Member, others: Sequence[Member], k: int) -> Steps:
        """In one transaction: what differs goes, what is missing comes, the log is of k's epoch."""
        epoch, candidate = self.epochs[k], state.candidates[k]
        if member.promised > epoch or (
                member.promised == epoch and member.owner not in (k, NOBODY)):
            return
        if self.has_adopted(member, k):
            return
        for upto in sorted({candidate.base, len(candidate.log)}):
            log = candidate.log[:upto]
            if begins(member.log[: member.applied], log):  # Else more is decided than k knows.
                for words, new in self.adopted(member, k, log):
                    yield (words, member.log, member.log_epoch, log, k), self.made(
                        [new, *others], state.candidates, state.decided)

    def append(self, state: State, member: Member, others: Sequence[Member], k: int) -> Steps:
        """A member of k's epoch stores what it has not yet, and applies what k knows as decided."""
        candidate = state.candidates[k]
        if (member.promised, member.owner) != (self.epochs[k], k):
            return
        if not self.may_append(member, k, candidate):
            return
        held = member.log
        log = held + candidate.log[len(held) :]
        for decided in sorted({0, max(0, self.agreed([member, *others], k))}):
            new = member._replace(
                log=log, applied=self.applied(member, log, decided),
                told=put(member.told, k, (len(log),)))
            if new != member:
                yield ("a member appends {} of c{}, {} decided", log, k, decided), self.made(
                    [new, *others], state.candidates, state.decided)

    def pull(self, state: State, member: Member, others: Sequence[Member]) -> Steps:
        """A member takes from another what that one has applied: it is decided for ever."""
        for other in sorted(set(others)):
            source = self.offered(other)
            if len(source) > member.applied and begins(member.log[: member.applied], source):
                new = self.pulled(member, other, source)
                yield ("a member with {} pulls {}", member.log, source), self.made(
                    [new, *others], state.candidates, state.decided)

    # The rules. Each of these is what a planted mistake gets wrong.

    promises_last = True

    @property
    def enough_stored(self) -> int:
        """How many members must have stored an edit in a leader's epoch to decide it."""
        return self.majority

    @property
    def enough_promises(self) -> int:
        """How many promises a candidate needs before it chooses."""
        return self.majority

    def is_the_owner(self, member: Member, k: int) -> bool:
        """Whether a claim only repeats the one that the member promised last."""
        return (member.promised, member.owner) == (self.epochs[k], k)

    def rank(self, fact: Fact) -> Fact:
        """Which log is best: that of the newest epoch, and of these the longest."""
        log_epoch, log = fact
        return log_epoch, len(log)

    def spared(self, lengths: Sequence[int]) -> int:
        """Up to which edit a majority may have stored a log, when those heard have so much and
        nothing is known of the others."""
        unheard = [self.edits] * (self.count - len(lengths))
        return sorted([*lengths, *unheard])[-self.majority]

    def has_adopted(self, member: Member, k: int) -> bool:
        """Whether an adopt only repeats what was done: then nothing more is to be done."""
        return member.log_epoch == self.epochs[k] and member.owner == k

    def adopted(self, member: Member, k: int, log: Log) -> List[Tuple[str, Member]]:
        """What a member becomes by adopting a log."""
        stored = member.told[k][0] if len(member.told[k]) == 1 else 0
        told = put(member.told, k, (max(len(log), stored),))
        epoch = self.epochs[k]
        new = Member(epoch, k, epoch, log, member.applied, told)
        return [("a member with {} of epoch {} adopts {} of c{}", new)]

    def may_append(self, member: Member, k: int, candidate: Candidate) -> bool:
        """Only to a log of this very epoch, of which the leader's is a continuation."""
        if member.log_epoch != self.epochs[k]:
            return False
        return begins(member.log, candidate.log)

    def applied(self, member: Member, log: Log, decided: int) -> int:
        """How much of its log a member applies when so much is known as decided."""
        return max(member.applied, min(decided, len(log)))

    def offered(self, other: Member) -> Log:
        """What a member gives to another that pulls from it."""
        return other.log[: other.applied]

    def pulled(self, member: Member, other: Member, source: Log) -> Member:
        """What a member becomes by pulling: an own tail that agrees stays, and its epoch."""
        log = member.log if begins(source, member.log) else source
        return member._replace(log=log, applied=len(source))

    def check(self, state: State) -> None:
        """No two logs decided, none lost, and nothing applied that is not decided."""
        for member in state.members:
            demand(member.log_epoch <= member.promised,
                   "a member has a log of epoch {}, and promised only {}",
                   member.log_epoch, member.promised)
            demand(member.applied <= len(member.log), "a member has applied what it has not")
            demand(begins(member.log[: member.applied], state.decided),
                   "a member has applied {} of {}, decided are {}",
                   member.applied, member.log, state.decided)
        newest = 0
        for k, candidate in enumerate(state.candidates):
            agreed = self.agreed(state.members, k)
            if candidate.phase == LEADS and agreed >= 0:
                newest = max(newest, self.epochs[k])
                known = candidate.log[:agreed]
                demand(begins(known, state.decided), "c{} decides {} beside {}",
                       k, known, state.decided)
        for k, candidate in enumerate(state.candidates):
            if candidate.phase == LEADS and self.epochs[k] >= newest:
                demand(begins(state.decided, candidate.log),
                       "c{} goes on in epoch {} with {}, without {}",
                       k, self.epochs[k], candidate.log, state.decided)
