"""A namenode that stands by: it loads the image and follows the record, in virtual time."""

from typing import Any, Callable, Dict, List, Optional

from data_service.namenode.state import State
from metadata_service.edits import TABLES, Edit, decode
from tests.simulation.network import Network
from tests.simulation.services import METADATA
from tests.simulation.term import new_state
from tests.simulation.world import Process, Script
from zookeeper.fabric.errors import DfsError, OutOfStep

LOOK_SECONDS = 0.3
CALL_SECONDS = 1.2
PAGE = 40
RECENT_EDITS = 2000


class ModelFollowing:
    """As `leading/following.py`: `told` hears None when it follows, and what ended it."""

    def __init__(
        self,
        process: Process,
        network: Network,
        state: Optional[State],
        told: Callable[[Optional[DfsError]], None],
    ) -> None:
        self._process = process
        self._network = network
        self.state = state
        self._told = told
        self._stopped = False

    def stop(self) -> Optional[State]:
        """It changes nothing any more; what is in memory."""
        self._stopped = True
        return self.state

    def run(self) -> Script:
        """Load, and follow until it is stopped, or cannot go on."""
        try:
            if self.state is None:
                state = yield from self._load()
                state.blocks.loaded(self._process.clock())
                self.state = state
            if not self._stopped:
                self._told(None)
            while not self._stopped:
                yield self._process.world.sleep(LOOK_SECONDS)
                yield from self._step(self.state)
        except DfsError as error:
            self.state = None
            if not self._stopped:
                self._told(error)

    def _step(self, state: State) -> Script:
        try:
            edits = yield from behind(self._ask, state)
        except DfsError as error:
            if isinstance(error, OutOfStep) or not error.retryable:
                raise
            return
        if not self._stopped:
            state.replay(edits)
            state.blocks.monitor.reports_came(self._process.clock())

    def _load(self) -> Script:
        """Rows of many moments are mended by the edits since the first of them."""
        cluster_id, _, last_txid = yield self._ask("status")
        tables: Dict[str, Dict[Any, tuple]] = {name: {} for name in TABLES}
        for name, rows in tables.items():
            page = yield self._ask("load", name, None, PAGE)
            while page:
                rows.update((row[0], row) for row in page)
                page = yield self._ask("load", name, page[-1][0], PAGE)
        edits: List[Edit] = []
        after = max(last_txid - RECENT_EDITS, 0)
        while True:
            lines = yield self._ask("edits_since", after, PAGE)
            if not lines:
                break
            edits += map(decode, lines)
            after += len(lines)
        for edit in edits:
            for name, key, row in edit.changes if edit.txid > last_txid else ():
                if row is None:
                    tables[name].pop(key, None)
                else:
                    tables[name][key] = row
        state = new_state(cluster_id, self._process.world.random)
        ordered = {name: [rows[key] for key in sorted(rows)] for name, rows in tables.items()}
        state.load(ordered, edits, max(last_txid, after))
        return state

    def _ask(self, method: str, *args: Any) -> Any:
        return self._network.call(self._process, METADATA, method, *args, timeout=CALL_SECONDS)


def behind(ask: Callable[..., Any], state: State) -> Script:
    """The edits that the record has behind what was followed."""
    last_txid = (yield ask("status"))[2]
    txid = state.commits.last_txid
    if last_txid < txid:
        raise OutOfStep(f"the record ends at {last_txid}; {txid} was followed")
    lines = (yield ask("edits_since", txid, PAGE)) if last_txid > txid else ()
    return [decode(line) for line in lines]
