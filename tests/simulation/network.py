"""Calls between processes, over a network that delays, loses, repeats and reorders.

A call is a request and a reply. Either can be lost: the caller cannot tell a request that never
came from a reply that never came, and hears of both only when its time is up. A request may also
come late, after its caller has given up, or twice. It cannot reach another incarnation of the
process that it was sent to: the connection is gone with that.
"""

from typing import Any, Callable, Dict, FrozenSet, Optional, Tuple

from tests.simulation.world import Awaited, Process, Wake, World
from zookeeper.fabric.errors import DeadlineExceeded, DfsError, Unavailable

DELAY_SECONDS = 0.02
LATE_SECONDS = 2.5
"""Most messages take up to the first, late ones up to the second."""

REPEATABLE: FrozenSet[str] = frozenset(
    "create complete mkdir delete rename set_replication "
    "renew_lease abandon_block abandon_file resume stat list "
    "block_locations status claim_epoch append load edits_since heartbeat register "
    "claim adopt prove wish release tail undecided log_behind".split()
)
"""What may be carried out twice: calls with an operation id, and those that are repeated by
their callers themselves. A datanode's reports are not: it sees to it that none runs late."""


class Network:
    """All processes by name, and what goes wrong between them. Probabilities are for a message.

    `repeated` are the operations of which a request was sent twice by the network itself.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.processes: Dict[str, Process] = {}
        self.loss = 0.0
        self.late = 0.0
        self.repeat = 0.0
        self.repeated: Dict[Tuple[str, int], None] = {}
        self._cuts: Dict[Tuple[str, str], int] = {}

    def add(self, process: Process) -> None:
        """Connect a process."""
        self.processes[process.name] = process

    def cut(self, source: str, target: str) -> None:
        """Nothing gets from source to target any more; the other direction is not touched."""
        self._cuts[source, target] = self._cuts.get((source, target), 0) + 1

    def mend(self, source: str, target: str) -> None:
        """Undo one `cut`."""
        self._cuts[source, target] -= 1

    def heal(self) -> None:
        """All goes well from now on."""
        self._cuts.clear()
        self.loss = self.late = self.repeat = 0.0

    def call(
        self, source: Process, target: str, method: str, *args: Any, timeout: float
    ) -> Awaited:
        """To be yielded: the result of a call, or the error that it raised."""

        def start(wake: Wake) -> None:
            message = f"{target} did not answer {method} in time"
            self.world.at(timeout, lambda: wake(None, DeadlineExceeded(message)))
            self._request(source, self.processes[target], method, args, wake)
            if method in REPEATABLE and self.world.chance(self.repeat):
                if args and type(args[0]) is tuple:
                    self.repeated[args[0]] = None
                self._request(source, self.processes[target], method, args, _nobody)

        return start

    def _request(
        self, source: Process, target: Process, method: str, args: tuple, wake: Wake
    ) -> None:
        generation = target.generation

        def reply(value: Any, error: Optional[DfsError]) -> None:
            self._send(target.name, source.name, lambda: wake(value, error))

        def arrive() -> None:
            if target.up and target.generation == generation:
                target.deliver(lambda: target.receive(source.name, method, args, reply))
            else:
                reply(None, Unavailable(f"{target.name} is down"))

        self._send(source.name, target.name, arrive)

    def _send(self, source: str, target: str, deed: Callable[[], None]) -> None:
        world = self.world
        if self._cuts.get((source, target)) or world.chance(self.loss):
            return
        slowest = LATE_SECONDS if world.chance(self.late) else DELAY_SECONDS

        def arrive() -> None:
            if not self._cuts.get((source, target)):
                deed()

        world.at(world.random.random() * slowest, arrive)


def _nobody(value: Any, error: Optional[DfsError]) -> None:
    """The answer to a repeated request: its caller waits for one answer only."""
