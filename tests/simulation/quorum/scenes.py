"""Moments that chance alone hardly ever meets: played at the beginning of every second run.

Theory of operation. A scene brings the quorum step by step to where one rule alone keeps what was
decided, or keeps a second leader away, and then lets whoever can lead go on. It has the means of
chance and no others: crashes, pauses, cut links, failing disks; but it looks before each step.
What it waits for may not come about, then the run just goes on. Nothing here judges, except where
somebody must lead: `decided.py` does, as in every run.
"""

from typing import Callable, Sequence, Tuple

from metadata_service.member.member_lease import LEASE_FACTOR
from tests.simulation.violation import demand
from tests.simulation.quorum.leader import UNDECIDED_MAX
from tests.simulation.quorum.member import LEADER_SECONDS, MetadataMember
from tests.simulation.quorum.model_disk import ROTTEN_ROW, ModelDisk
from tests.simulation.quorum.stage import WAIT_SECONDS, Missed, Stage


class Scenes(Stage):
    """One run's. X leads when a scene begins, Y stands by; a, b, c are the members, in any order.
    Nobody wants changes but when the scene says so."""

    def play(self, number: int) -> str:
        """One of them; its name, or nothing when it did not come about."""
        scene = SCENES[number % len(SCENES)]
        name = scene.__name__.strip("_")
        self._world.note(f"the scene begins: {name}")
        try:
            self._pass(self._world.random.uniform(0.3, 1.0))
            self._calm()
            self._cast()
            scene(self)
        except Missed:
            self._world.note("the scene is missed")
            name = ""
        self._end()
        return name

    # Logs.

    def _two_logs(self) -> None:
        """A log of an earlier epoch is longer than that in which other edits were decided."""
        self._sever(self._x, self._b, self._c)
        self._sever(self._y, self._a)
        self._x.quiet = False
        self._need(lambda: self._txid(self._a) == self._n + UNDECIDED_MAX)
        self._silence(self._x, self._a)
        self._y.quiet = False
        self._need(self._is_decided)
        self._go_on_with(self._a, max(self._b, self._c, key=self._txid))

    def _promise_and_restart(self) -> None:
        """A member starts anew when it has promised an epoch, and has not adopted its log yet; the
        leader of before still has something to write."""
        x, y, b, c = self._x, self._y, self._b, self._c
        for member in self._members:
            member.disk.full = True
        x.quiet = False
        self._need(lambda: self._reign(x).record.last.txid > self._n)
        x.quiet = True
        self._pass(0.05)
        x.pause()
        for member in self._members:
            member.disk.full = False
        self._sever(y, self._a)
        self._need(lambda: y.reign)
        self._sever(y, b, c)
        self._bounce(b)
        x.resume()
        self._until(self._is_decided, 1.0)
        self._silence(x)
        self._mend(y, b, c)
        y.quiet = False
        self._pass(WAIT_SECONDS / 2)

    def _torn_adopt(self) -> None:
        """The power is cut while a member adopts a log with an edit that only it lacks; the next
        leader meets it and one of the members that have the edit."""
        self._sever(self._x, self._a)
        self._sever(self._y, self._c)
        self._x.quiet = False
        self._need(self._is_decided)
        self._silence(self._x)
        self._cut_power_in_adopt(self._b)
        self._go_on_with(self._a, self._c)

    def _torn_cut(self) -> None:
        """The same while a log is cut that has an edit which was decided, and one that was not."""
        a, b, c, x, y = self._a, self._b, self._c, self._x, self._y
        self._sever(c, x, a, b)
        self._network.cut(b.name, x.name)
        x.quiet = False
        self._need(lambda: self._txid(a) > self._txid(b) > self._n, 1.0)
        x.quiet = True
        self._sever(x, a)
        self._network.mend(b.name, x.name)
        self._need(self._is_decided)
        self._silence(x)
        self._sever(y, a)
        self._need(lambda: y.reign)
        self._mend(y, a)
        self._cut_power_in_adopt(b, c)
        self._go_on_with(a, c)

    def _cut_power_in_adopt(self, *others: MetadataMember) -> None:
        """Y leads; only a can adopt its log, and its power is cut when it does."""
        a, y = self._a, self._y
        self._need(lambda: y.reign)
        self._sever(y, *others)
        epoch = self._reign(y).epoch
        self._need(lambda: a.core.record.promised == epoch)
        a.loses_power = True
        self._need(lambda: not a.up)

    def _image_behind_the_tail(self) -> None:
        """A member needs an image, and the only one is older than what it has acknowledged."""
        self._sever(self._x, self._c)
        self._sever(self._b, self._a, self._c)
        self._x.quiet = False
        self._need(self._is_decided)
        self._silence(self._x, self._y)
        self._a.disk.health = ROTTEN_ROW
        self._bounce(self._a)
        self._need(lambda: self._a.up and not self._a.core.trouble)
        self._go_on_with(self._a, self._c)

    def _adopted_again(self) -> None:
        """The request to adopt a log comes once more, when more has been appended and decided."""
        a, b, c, y = self._a, self._b, self._c, self._y
        self._silence(self._x)
        self._sever(a, y, b)
        self._need(lambda: y in self._holders())
        reign = self._reign(y)
        y.quiet = False
        self._need(self._is_decided)
        self._silence(y, c)
        again = (reign.epoch, reign.owner, reign.record.place(self._n), b"", 0,
                 reign.configuration)
        b.receive(y.name, "adopt", again, lambda _answer, _error: None)
        self._pass(0.05)
        self._go_on_with(a, b)

    def _pulled_after_a_promise(self) -> None:
        """A member that has promised an epoch, which nobody leads in, gets edits of the one before
        from the others; those go on without it."""
        a, x = self._a, self._x
        self._x_is_silent_until_y_claims()
        self._mend(x, self._b, self._c)
        self._need(lambda: x.holds(self._reign(x)))
        self._y.resume()
        self._need(lambda: a.core.record.promised > self._reign(x).epoch, 1.0)
        self._silence(self._y)
        x.quiet = False
        self._need(lambda: a.core.record.applied.txid > self._n)
        self._need(lambda: len(self._witness.lines) > self._txid(a))
        self._silence(x)
        self._go_on_with(a, self._c)

    def _old_copy(self) -> None:
        """A disk goes back in time; who knows that it did lacks the last edits itself."""
        a, copy = self._a, self._a.disk.copied()
        self._x.quiet = False
        self._need(lambda: any(one == copy.record.member_id and txid > self._n
                               for one, _, txid in self._c.core.record.witness))
        self._calm()
        self._n = len(self._witness.lines)
        self._sever(self._x, self._c)
        self._x.quiet = False
        self._need(self._is_decided)
        self._silence(*self._all)
        self._network.heal()
        self._put_back(copy)
        self._sever(a, self._b, self._c)  # It would hear from them that it is out of date.
        for process in (a, self._c, *self._leaders):
            process.start()
        self._y.quiet = False
        self._until(lambda: self._holders(), WAIT_SECONDS / 2)
        self._pass(0.5)

    def _put_back(self, copy: ModelDisk) -> None:
        copy.full, copy.stalled_until = False, 0.0
        self._a.disk = copy

    # Changes of members.

    def _wipe(self, member: MetadataMember) -> None:
        self._crash(member)
        member.replace_disk()
        member.start()

    def _change_behind_a_claim(self) -> None:
        """A leader has a promise of a member that is lost then; the leader of before replaces the
        lost one, and counts the new one for an edit that the other does not know."""
        a, b, c, x, y = self._a, self._b, self._c, self._x, self._y
        self._sever(x, b, c)
        self._sever(y, a)
        x.quiet = False
        self._need(lambda: self._txid(a) > self._n)
        x.quiet = True
        self._need(lambda: y.reign)
        self._sever(y, b, c)
        self._wipe(c)
        self._mend(x, c)
        self._until(self._is_decided, 5.0)
        self._silence(x, c)
        self._mend(y, a, b)
        y.quiet = False
        self._until(self._is_decided)
        self._pass(0.5)

    def _configured_before(self) -> None:
        """A member has missed the last step of a change; without it the lost one is missed."""
        a, b, c, x = self._a, self._b, self._c, self._x
        version = self._reign(x).configuration.version
        self._wipe(c)
        self._need(lambda: self._reign(x).configuration.version == version + 2)
        self._sever(x, b)
        if len(self._reign(x).configuration.sets) != 1:
            raise Missed
        self._need(lambda: all(
            m.core.record.configuration.version == version + 2 for m in (a, c)))
        led = self._go_on_with(b, c)
        demand(led, "nobody leads, though a majority of the last configuration is well")

    def _shrink(self) -> None:
        """Only a is a member any more."""
        a = self._a
        self._want(a)
        self._need(lambda: a.core.record.is_alone
                   and self._reign(self._x).configuration == a.core.record.configuration)

    def _edit_amid_growth(self) -> None:
        """An edit reaches only the old member, which knows by then that it is the only one no
        more."""
        a, b, c, x = self._a, self._b, self._c, self._x
        self._shrink()
        self._want(*self._members)
        self._need(lambda: len(a.core.record.configuration.sets) == 2)
        self._sever(x, b, c)
        x.quiet = False
        self._until(lambda: self._txid(a) > self._n)
        self._silence(x)
        self._go_on_with(*self._members)

    # Leases.

    def _x_is_silent_until_y_claims(self) -> None:
        """Y begins to claim, as nobody was heard for long, and stops for a moment."""
        self._sever(self._x, *self._members)
        claims = self._y.claimant.claims
        self._need(lambda: self._y.claimant.claims > claims)
        self._y.pause()

    def _x_proves_itself_late(self) -> None:
        """In this moment X is heard again, for the last time."""
        x = self._x
        self._x_is_silent_until_y_claims()
        self._mend(x, *self._members)
        self._need(lambda: x.holds(self._reign(x)))
        self._pass(0.05)
        self._sever(x, *self._members)

    def _early_claim(self) -> None:
        """A claim that was prepared when no leader was heard comes when one is again."""
        self._x_proves_itself_late()
        self._y.resume()
        self._pass(LEADER_SECONDS)

    def _claim_after_a_restart(self) -> None:
        """The same, and the members that heard it know nothing of that any more."""
        self._x_proves_itself_late()
        self._bounce(*self._members)
        self._y.resume()
        self._pass(LEADER_SECONDS)

    def _late_proof(self) -> None:
        """A leader sleeps, and wakes up with answers to what it asked before."""
        for member in self._members:
            member.pause()
        self._pass(0.5)
        self._x.pause()
        for member in self._members:
            member.resume()
        self._need(lambda: self._y in self._holders())
        self._x.resume()
        self._pass(1.0)

    def _one_epoch_twice(self) -> None:
        """Two claim one epoch, and one of them wins; then a member that promised it to the other,
        who may claim there again at any time, is heard by the winner instead of another."""
        a, b, c = self._a, self._b, self._c
        self._crash(*self._leaders)
        self._pass(LEADER_SECONDS * LEASE_FACTOR)
        claims = {one: one.claimant.claims for one in self._leaders}
        self._bounce(*self._leaders)
        self._need(lambda: any(one.claimant.claims > claims[one] for one in self._leaders))
        y = next(one for one in self._leaders if one.claimant.claims > claims[one])
        x = next(one for one in self._leaders if one is not y)
        self._sever(y, a, b)
        self._sever(x, c)
        self._need(lambda: x in self._holders())
        self._sever(x, b)
        self._mend(x, c)
        self._mend(y, b)
        self._until(lambda: y in self._holders(), WAIT_SECONDS / 2)
        self._pass(0.5)


SCENES: Tuple[Callable[[Scenes], None], ...] = (
    Scenes._two_logs, Scenes._promise_and_restart, Scenes._torn_adopt, Scenes._torn_cut,
    Scenes._image_behind_the_tail, Scenes._adopted_again, Scenes._pulled_after_a_promise,
    Scenes._old_copy, Scenes._change_behind_a_claim, Scenes._configured_before,
    Scenes._early_claim, Scenes._claim_after_a_restart, Scenes._late_proof,
    Scenes._one_epoch_twice, Scenes._edit_amid_growth,
)  # fmt: skip
"""In turn, by every second seed."""


def seeds_of(name: str, count: int) -> Sequence[int]:
    """The first so many seeds that play this scene; ValueError when there is none of that name."""
    names = [scene.__name__.strip("_") for scene in SCENES]
    step = 2 * len(names)
    return range(2 * names.index(name) + 1, step * count, step)
