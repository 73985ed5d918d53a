"""A namenode that a test plays to one datanode: it notes every call, and answers as it is told."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from data_service.datanode.actor import Actor
from data_service.datanode.description import NodeDescription
from data_service.datanode.duties import Duties, Obey
from data_service.datanode.obedience import Obedience
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.nodes import Command, NodeInfo, NodeStats
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.rpc import plain
from zookeeper.fabric.settings import Address, DataNodeSettings

ADDRESS = Address("127.0.0.1", 1801)


class NameNode:
    """Takes the place of a NameNodeLine. `answers` may replace what a method answers; while it
    does not lead, it says so."""

    def __init__(self) -> None:
        self.calls: List[Tuple[str, tuple]] = []
        self.answers: Dict[str, Callable[..., Any]] = {}
        self.epoch = 5
        self.session = 100
        self.closed = False
        self.interrupts = 0
        self.leads = True

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Note the call and answer, as it comes off the wire."""
        self.calls.append((call.name, args))
        answer = self.answers.get(call.name) or getattr(self, "_" + call.name)
        return plain(answer(*args))

    def interrupt(self, seconds: float) -> None:
        """Note it."""
        self.interrupts += 1

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def methods(self) -> List[str]:
        """The names of all calls since the last time."""
        names = [method for method, _ in self.calls]
        self.calls.clear()
        return names

    def fail(self, method: str, *errors: DfsError) -> None:
        """Let the next calls of a method fail."""
        waiting = list(errors)

        def answer(*args: Any) -> Any:
            if waiting:
                raise waiting.pop(0)
            return getattr(self, "_" + method)(*args)

        self.answers[method] = answer

    def _register(self, info: NodeInfo) -> tuple:
        self.session += 1
        return self.session, self.epoch, "cluster-1", self.leads

    def _block_report(self, session: int, report_id: int, part: int, parts: int,
                      payload: bytes, digests: bytes = b"") -> None:
        assert session == self.session

    def _block_changes(self, session: int, received: tuple, deleted: tuple,
                       corrupt: tuple, verified: tuple) -> None:
        assert session == self.session

    def _epoch_known(self, epoch: int) -> None:
        pass

    def _heartbeat(
        self, session: int, stats: NodeStats, wait_seconds: float, acknowledged: int,
        unheard_seconds: float,
    ) -> tuple:  # fmt: skip
        assert session == self.session
        return self.epoch, (), self.leads


SETTINGS = DataNodeSettings(heartbeat_seconds=0.01, rack="/r")


def _obey_nothing(_command: Command, _holds: Callable[[], bool]) -> None:
    pass


def _description_of(store: BlockStore, settings: DataNodeSettings) -> NodeDescription:
    return NodeDescription(ADDRESS, settings.rack, store, lambda: 3)


def duties_of(
    namenode: NameNode,
    store: BlockStore,
    obey: Obey = _obey_nothing,
    settings: DataNodeSettings = SETTINGS,
    obedience: Optional[Obedience] = None,
) -> Duties:
    """What a datanode that has three transfers under way does for one namenode; stop it."""
    return Duties(
        namenode, _description_of(store, settings), store, settings,  # type: ignore[arg-type]
        obedience or Obedience(store.volumes), obey,
    )


def actor_of(
    namenodes: Sequence[NameNode],
    store: BlockStore,
    obey: Obey = _obey_nothing,
    joined: Callable[[], None] = lambda: None,
    settings: DataNodeSettings = SETTINGS,
) -> Actor:
    """That for all of its namenodes; stop it."""
    return Actor(
        namenodes, _description_of(store, settings), store, settings,  # type: ignore[arg-type]
        obey, joined,
    )
