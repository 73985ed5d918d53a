"""The lease of a leader: an old leader's answers never contradict a change that a new one made.

Time is a number of ticks, and all clocks tick alike; that they do not quite is what a factor in
the product is for. The old leader asks for proofs; one that a majority has answered counts for
LEASE ticks after it was *asked* for. A member promises nothing to anybody until LEASE ticks after
it last answered; when it has just started, it reckons that it answered just then. So whoever has
a majority of promises may change things, and no answer of the old leader can come after that.
"""

from typing import Iterator, NamedTuple, Sequence, Tuple

from tests.protocol.explorer import Model, Step, demand
from tests.protocol.log_model import put

LEASE = 2
LONG_AGO = -9
NEVER = -1


class Member(NamedTuple):
    """Whether it has promised the new epoch, when it last answered, and which questions."""

    promised: bool
    answered_at: int
    answers: Tuple[int, ...]


class Question(NamedTuple):
    """When it was asked, and when a majority had answered it."""

    asked_at: int
    proved_at: int


class State(NamedTuple):
    """The members in any order; `changed_at` is when the new leader acknowledged its change."""

    now: int
    members: Tuple[Member, ...]
    questions: Tuple[Question, ...]
    asked: int
    changed_at: int
    restarts: int


class LeaseModel(Model[State]):
    """One old leader that may ask so often, a new one, and three members that may restart."""

    majority = 2

    def __init__(self, ticks: int, questions: int, restarts: int = 1) -> None:
        self.ticks = ticks
        self.questions = questions
        self.restarts = restarts

    def first(self) -> State:
        """Nobody has asked anything."""
        return State(0, (Member(False, LONG_AGO, ()),) * 3, (), 0, NEVER, self.restarts)

    def successors(self, state: State) -> Iterator[Tuple[Step, State]]:
        """Time passes, somebody asks, a member answers, promises or restarts."""
        now, questions = state.now, state.questions
        if now < self.ticks:
            yield ("a tick",), self.made(state._replace(now=now + 1), state.members)
        if state.asked < self.questions and (not questions or questions[-1].asked_at < now):
            asked = state._replace(questions=(*questions, Question(now, NEVER)),
                                   asked=state.asked + 1)
            yield ("at {} the old leader asks", now), self.made(asked, state.members)
        for number, member in enumerate(state.members):
            others = state.members[:number] + state.members[number + 1 :]
            if not member.promised:
                yield from self.answer(state, member, others)
                if self.may_promise(state, member):
                    yield ("at {} a member promises", now), self.made(
                        state, [member._replace(promised=True), *others])
            if state.restarts:
                again = member._replace(answered_at=self.answered_before_start(state, member))
                yield ("at {} a member restarts", now), self.made(
                    state._replace(restarts=state.restarts - 1), [again, *others])
        if state.changed_at == NEVER:
            if sum(member.promised for member in state.members) >= self.enough_promises:
                yield ("at {} the new leader acknowledges a change", now), self.made(
                    state._replace(changed_at=now), state.members)

    def answer(
        self, state: State, member: Member, others: Sequence[Member]
    ) -> Iterator[Tuple[Step, State]]:
        """A question arrives, after any time on its way."""
        for place, question in enumerate(state.questions):
            at = question.asked_at
            if at in member.answers:
                continue
            answers = tuple(sorted((*member.answers, at)))
            if 1 + sum(at in other.answers for other in others) == self.enough_answers:
                question = question._replace(proved_at=state.now)
            yield ("at {} a member answers what was asked at {}", state.now, at), self.made(
                state._replace(questions=put(state.questions, place, question)),
                [Member(False, state.now, answers), *others])

    def made(self, state: State, members: Sequence[Member]) -> State:
        """The state in its plainest form: what is too old to matter is equally old."""
        kept = [question for question in state.questions if self.counts_until(question) > state.now]
        times = [question.asked_at for question in kept]
        plain = sorted(
            Member(member.promised,
                   member.answered_at if member.answered_at + LEASE > state.now else LONG_AGO,
                   tuple(at for at in member.answers if at in times))
            for member in members)
        return state._replace(members=tuple(plain), questions=tuple(kept))

    # The rules. Each of these is what a planted mistake gets wrong.

    enough_answers = 2
    enough_promises = 2

    def dated(self, question: Question) -> int:
        """What a proof is reckoned from: the question, which was before any answer."""
        return question.asked_at

    def counts_until(self, question: Question) -> int:
        """Until when a question can matter, answered or not."""
        return question.asked_at + LEASE

    def may_promise(self, state: State, member: Member) -> bool:
        """Only when no proof that this member helped to give can count any more."""
        return state.now >= member.answered_at + LEASE

    def answered_before_start(self, state: State, member: Member) -> int:
        """A member that has forgotten when it answered reckons with the worst."""
        return state.now

    def check(self, state: State) -> None:
        """After a change of the new leader, no proof of the old one counts."""
        for question in state.questions if state.changed_at != NEVER else ():
            if question.proved_at != NEVER:
                until = self.dated(question) + LEASE
                demand(state.now >= until,
                       "at {} the old leader may answer until {}, and a change was at {}",
                       state.now, until, state.changed_at)


class PromisesToWhoeverAsks(LeaseModel):
    """A member promises while the leader that it answered may still believe in its lease."""

    def may_promise(self, state: State, member: Member) -> bool:
        """At once."""
        return True


class ForgetsAtARestart(LeaseModel):
    """A member that has restarted believes that it never answered."""

    def answered_before_start(self, state: State, member: Member) -> int:
        """Long before."""
        return LONG_AGO


class ProofIsDatedByItsAnswer(LeaseModel):
    """A leader reckons its lease from when the answers came."""

    def dated(self, question: Question) -> int:
        """When a majority had answered."""
        return question.proved_at

    def counts_until(self, question: Question) -> int:
        """Any time: the answers may come late."""
        return question.asked_at + LEASE + self.ticks


class OneAnswerIsAProof(LeaseModel):
    """A leader believes a single member."""

    enough_answers = 1


class OnePromiseIsEnough(LeaseModel):
    """A candidate leads by the promise of a single member."""

    enough_promises = 1
