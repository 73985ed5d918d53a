"""Planted mistakes in the rules of the log: each is one rule gotten wrong, and must be caught."""

from typing import List, Sequence, Tuple

from tests.protocol.log_model import NOBODY, Candidate, Fact, Log, LogModel, Member, State, Steps


class LongestLogIsChosen(LogModel):
    """A candidate takes the longest log, of whatever epoch it is."""

    def rank(self, fact: Fact) -> Fact:
        """Length comes first."""
        log_epoch, log = fact
        return len(log), log_epoch


class OneMemberDecides(LogModel):
    """An edit counts as decided when a single member has it."""

    enough_stored = 1


class FewPromisesAreBelieved(LogModel):
    """A candidate chooses from what less than a majority told it."""

    enough_promises = 1


class AppendsWithoutAdopting(LogModel):
    """A member stores a leader's edits behind a log that is not of that leader's epoch."""

    def may_append(self, member: Member, k: int, candidate: Candidate) -> bool:
        """Length is all that is looked at."""
        if member.log_epoch != self.epochs[k]:
            return len(member.log) >= candidate.base
        return super().may_append(member, k, candidate)


class AppliedWhenStored(LogModel):
    """A member changes its image for edits that are not decided yet."""

    def applied(self, member: Member, log: Log, decided: int) -> int:
        """All of it."""
        return len(log)


class PromiseIsForgotten(LogModel):
    """A promise is not on disk when it is given."""

    promises_last = False

    def member_steps(self, state: State, member: Member, others: Sequence[Member]) -> Steps:
        """Also: it restarts, and knows only the epoch of its log."""
        yield from super().member_steps(state, member, others)
        if member.promised > member.log_epoch:
            new = member._replace(promised=member.log_epoch, owner=NOBODY)
            yield ("a member restarts",), self.made(
                [new, *others], state.candidates, state.decided)


class EpochIsStoredFirst(LogModel):
    """The epoch of a log becomes durable before the log itself does."""

    def adopted(self, member: Member, k: int, log: Log) -> List[Tuple[str, Member]]:
        """Also the state between two transactions."""
        epoch = self.epochs[k]
        early = member._replace(promised=epoch, owner=k, log_epoch=epoch)
        words = "a member with {} of epoch {} stores only the epoch for {} of c{}"
        return [(words, early), *super().adopted(member, k, log)]


class EpochIsShared(LogModel):
    """A member promises one epoch to two candidates."""

    def is_the_owner(self, member: Member, k: int) -> bool:
        """Whoever names the epoch."""
        return member.promised == self.epochs[k]


class AdoptIsCutInTwo(LogModel):
    """What differs is deleted in one transaction, and what is missing comes in another."""

    def adopted(self, member: Member, k: int, log: Log) -> List[Tuple[str, Member]]:
        """Also the state in between."""
        whole = super().adopted(member, k, log)
        if len(member.log) == member.applied:
            return whole
        cut = member._replace(promised=self.epochs[k], owner=k, log=member.log[: member.applied])
        return [("a member with {} of epoch {} cuts its log for {} of c{}", cut), *whole]


class RepeatedAdoptCuts(LogModel):
    """A late or repeated adopt is carried out again, and removes what was appended since."""

    def has_adopted(self, member: Member, k: int) -> bool:
        """Never."""
        return False


class UndecidedIsPulled(LogModel):
    """A member gives to others what it does not know as decided."""

    def offered(self, other: Member) -> Log:
        """Its whole log."""
        return other.log


class ImageReplacesTheTail(LogModel):
    """A member that installs an image drops its own undecided edits, which count for a majority."""

    def pulled(self, member: Member, other: Member, source: Log) -> Member:
        """The image, and nothing behind it."""
        return member._replace(log=source, applied=len(source))


class PullTakesTheEpoch(LogModel):
    """A member that pulls believes that its log is of the other's epoch from now on."""

    def pulled(self, member: Member, other: Member, source: Log) -> Member:
        """The other's epoch, unless it has promised less."""
        new = super().pulled(member, other, source)
        if member.log_epoch < other.log_epoch <= member.promised:
            return new._replace(log_epoch=other.log_epoch)
        return new


class UnheardHaveNothing(LogModel):
    """While a disk is full, members that were not heard count as if they had stored nothing."""

    def spared(self, lengths: Sequence[int]) -> int:
        """By those alone who were heard."""
        return sorted([*lengths, *[0] * (self.count - len(lengths))])[-self.majority]


class OnlyWhatAllHaveIsSpared(LogModel):
    """While a disk is full, the record ends where the shortest log does."""

    def spared(self, lengths: Sequence[int]) -> int:
        """The least."""
        return min(lengths)
