"""What scenes are made of: steps that look before the next one."""

from typing import Callable, List

from tests.simulation.network import Network
from tests.simulation.quorum.decided import Decided
from tests.simulation.quorum.leader import Leader, want
from tests.simulation.quorum.member import MetadataMember
from tests.simulation.quorum.reign import Reign
from tests.simulation.world import Process, World

WAIT_SECONDS = 8.0
"""Long enough for a lease to end and for somebody to claim; or for an image."""

CALM_SECONDS = 20.0
"""As long as a leader may have to go on without a member that has promised another one more."""


class Missed(Exception):
    """What the scene is about did not come about."""


class Stage:
    """The members and leaders of one run, and what may be done to them."""

    def __init__(
        self, world: World, network: Network, members: List[MetadataMember],
        leaders: List[Leader], witness: Decided,
    ) -> None:  # fmt: skip
        self._world, self._network, self._witness = world, network, witness
        self._members, self._leaders = members, leaders
        self._all: List[Process] = [*members, *leaders]

    def _until(self, condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> bool:
        """Let the world go on to the very deed that makes it true; whether one did."""
        deadline = self._world.now + seconds
        while not condition():
            if self._world.now > deadline:
                return False
            self._world.step()
        return True

    def _need(self, condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        if not self._until(condition, seconds):
            raise Missed

    def _pass(self, seconds: float) -> None:
        self._until(lambda: False, seconds)

    def _calm(self) -> None:
        """Nobody wants changes, and all members have everything."""
        for leader in self._leaders:
            leader.quiet = True
        self._need(lambda: self._holders() and all(map(self._is_whole, self._members)),
                   CALM_SECONDS)

    def _is_whole(self, member: MetadataMember) -> bool:
        record, epoch = member.core.record, self._reign(self._holders()[0]).epoch
        end = len(self._witness.lines)
        return (record.promised == record.log_epoch == epoch
                and record.last.txid == record.applied.txid == end)

    def _cast(self) -> None:
        self._x = self._holders()[0]
        self._y = next(one for one in self._leaders if one is not self._x)
        self._a, self._b, self._c = self._world.random.sample(self._members, 3)
        self._n = len(self._witness.lines)

    def _end(self) -> None:
        """All is well again."""
        self._network.heal()
        self._want(*self._members)
        for leader in self._leaders:
            leader.quiet = False
        for member in self._members:
            member.loses_power = member.disk.full = False
        for process in self._all:
            if not process.up:
                process.start()
            if process.paused:
                process.resume()

    def _want(self, *members: MetadataMember) -> None:
        """These shall be the members, by every config.ini."""
        want(self._leaders, members)

    def _holders(self) -> List[Leader]:
        return [one for one in self._leaders if one.up and not one.paused
                and one.reign is not None and one.holds(one.reign)]

    @staticmethod
    def _txid(member: MetadataMember) -> int:
        return member.core.record.last.txid

    def _reign(self, leader: Leader) -> Reign:
        if leader.reign is None:
            raise Missed
        return leader.reign

    def _is_decided(self) -> bool:
        """Whether anything is that was not when all was calm."""
        return len(self._witness.lines) > self._n

    def _sever(self, one: Process, *others: Process) -> None:
        for other in others:
            self._network.cut(one.name, other.name)
            self._network.cut(other.name, one.name)

    def _mend(self, one: Process, *others: Process) -> None:
        for other in others:
            self._network.mend(one.name, other.name)
            self._network.mend(other.name, one.name)

    def _crash(self, *processes: Process) -> None:
        for process in processes:
            if process.up:
                process.crash()

    def _silence(self, *processes: Process) -> None:
        """They end, and what they have sent does not arrive."""
        for process in processes:
            self._sever(process, *(one for one in self._all if one is not process))
        self._crash(*processes)

    def _bounce(self, *processes: Process) -> None:
        self._crash(*processes)
        for process in processes:
            process.start()

    def _go_on_with(self, *members: MetadataMember) -> bool:
        """Both leaders start anew and meet these members; whether something was decided."""
        self._crash(*self._all)
        self._network.heal()
        for process in (*members, *self._leaders):
            process.start()
        for leader in self._leaders:
            leader.quiet = False
        before = len(self._witness.lines)
        return self._until(lambda: len(self._witness.lines) > before and self._holders())
