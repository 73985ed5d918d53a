"""One member of the quorum as its leader sees it: the way to it, and where its log stands."""

import math
from typing import Any, Callable, List, Optional, Protocol, Sequence, Tuple

from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.fabric.figures import Histogram
from zookeeper.fabric.frames import Request


class Connection(Protocol):
    """As much of a Remote as a lane needs."""

    @property
    def closed(self) -> bool:
        """Whether it cannot be used any more."""

    def begin(self, request: Request, timeout: float) -> None:
        """See Remote."""

    def finish(self, timeout: float) -> Any:
        """See Remote."""

    def close(self) -> None:
        """See Remote."""


class Ways(Protocol):
    """How the members are reached, each by its address."""

    addresses: Sequence[str]

    def perform(self, address: str, call: Call, args: Tuple[Any, ...], seconds: float) -> Any:
        """Make a call of one member, once."""

    def dial(self, address: str) -> Any:
        """A Connection of its own; raises Unavailable."""

    def answering(self, connections: Sequence[Any], seconds: float) -> List[Any]:
        """Those whose answers have come, or that are over; waits for the first one so long."""


class Line:
    """A connection on which one question at a time is asked. One thread installs it when there is
    none, another asks, and hangs up when something is wrong: neither is ever in the other's way."""

    def __init__(self) -> None:
        self.connection: Optional[Any] = None
        self.asked_at = math.inf
        """Since when an answer is awaited, in monotonic seconds; infinite when none is."""

    @property
    def idle(self) -> bool:
        """Whether a question can be asked."""
        return self.connection is not None and self.asked_at == math.inf

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self.asked_at != math.inf

    def ask(self, now: float, request: Request) -> None:
        """Send a question, and wait for nobody: who does not read gets the rest while answers are
        waited for. Raises Unavailable."""
        connection = self.connection
        if connection is None:
            raise Unavailable("there is no connection")
        connection.begin(request, 0.0)
        self.asked_at = now

    def answer(self, meaning: Callable[[Any], Any]) -> Any:
        """What the answer means, which has come; raises what the member raised."""
        connection = self.connection
        assert connection is not None and self.busy
        self.asked_at = math.inf
        return meaning(connection.finish(0.0))

    def hang_up(self) -> None:
        """Close the connection; whoever keeps the lane dials again."""
        connection, self.connection = self.connection, None
        self.asked_at = math.inf
        if connection is not None:
            connection.close()


class Lane:
    """What is known of a member; guarded by the lock of its Members."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.member_id = ""
        """Whose disk is there; empty before it has answered."""
        self.writing, self.proving = Line(), Line()
        self.acked = -1
        """Up to which edit its log is durably that of this epoch; -1: it has not adopted it."""
        self.applied_txid = 0
        self.asked_to = 0
        """Up to which edit it was sent edits last."""
        self.version = -1
        """Of the configuration that it has stored."""
        self.room = True
        self.rival = False
        """Whether it has promised this epoch to another claim, of the same number. It takes part in
        nothing then until all are united in another epoch."""
        self.state = ""
        """What it said of itself when it was last dialled; empty when it could not be."""
        self.refusal: Optional[DfsError] = None
        """Why it did not store what it was sent last; None when it did, or has not answered."""
        self.retry_at = self.pause = 0.0
        self.asked_for_proof_at = -math.inf
        self.trouble = "has not answered yet"
        """Why it is not in step, for a person; empty when it is."""
        self.heard_at = 0.0
        """When it last answered, in monotonic seconds; in the beginning, when it was made."""
        self.told_at = -math.inf
        """When it was told last what all have acknowledged."""
        self.refusals = 0
        self.appends = Histogram()

    def lose(self, error: DfsError) -> None:
        """It cannot be written to as it is; whoever keeps the lane begins anew."""
        self.writing.hang_up()
        self.trouble = error.message

    def __repr__(self) -> str:
        return f"<Lane {self.address} to {self.acked} {self.trouble}>"
