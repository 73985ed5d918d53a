"""Keeps a core like the record while another namenode leads, so that this one can lead at once.

Theory of operation. One thread loads the image, tells so, and from then on carries out edit after
edit as the record has them; under the core's lock, a few at a time, for datanodes tell the same
core what they have. Only edits that are durable are followed, so nothing in memory is ever untrue.
It ends when it is stopped, which waits for nobody: from that moment on it changes nothing. It ends
as well when the record cannot be followed from here; then the image is to be loaded anew.

A record that is out of reach for a while is asked again; what is in memory is as good as before.
"""

import threading
import time
from typing import Callable, List, NamedTuple, Optional

from data_service.namenode.leading import memory
from data_service.namenode.leading.record_reader import News, RecordReader
from data_service.namenode.namenode_core import Core
from data_service.namenode.replicas.events import Event
from metadata_service.edits import Edit, decode
from metadata_service.leader.journal import Journal
from metadata_service.record.chain import following
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, OutOfStep

log = logs.get("following")

EDITS_AT_ONCE = 50
"""So many are carried out under the lock together: some 5 ms."""

PAUSE_SECONDS = 0.5
"""Between two questions to a record that does not answer."""


SILENCE_SECONDS = 2.0
"""A record that is silent for so long, beyond the wait for news, is out of reach."""


LAG_SECONDS = 1.0
"""A standby that is behind the record for so long says so, and does not wish to lead."""


class Lag(NamedTuple):
    """By how many edits that it has heard of a standby is behind the record, and since when, in
    seconds, it was not level with it; 0 when it is."""

    edits: int
    seconds: float


class Following:
    """One attempt. `core` is what is in memory already, if anything is; `told` hears, in the
    thread, None when the core follows, and the error that ended it."""

    def __init__(
        self,
        reader: RecordReader,
        core: Optional[Core],
        make: Callable[[str], Core],
        told: Callable[[Optional[Exception]], None],
        round_seconds: float,
    ) -> None:
        self._reader = reader
        self._core = core
        self._make = make
        self._told = told
        self._round_seconds = round_seconds
        self._stopped = threading.Event()
        self._next_round = 0.0
        self._whole = True
        self._level_at = time.monotonic()
        self.decided_txid = 0
        """Up to here all is durable, as far as was heard."""

    @property
    def core(self) -> Optional[Core]:
        """What is in memory, once it was loaded and as long as it is true."""
        return self._core

    @property
    def stopped(self) -> bool:
        """Whether it changes nothing any more."""
        return self._stopped.is_set()

    def lag(self, now: float) -> Lag:
        """How far behind it is. Who waits for news, which may take a while, is not."""
        edits = max(0, self.decided_txid - self._txid())
        seconds = now - self._level_at
        waits = not edits and seconds < self._round_seconds + SILENCE_SECONDS
        return Lag(edits, 0.0 if waits else seconds)

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._run, name="following", daemon=True).start()

    def stop(self) -> Optional[Core]:
        """End at once; what is in memory, if it is whole. Nothing here holds it any more."""
        core = self._core
        self._stopped.set()
        if core is None:
            return None
        with core.lock:
            # Whoever was carrying out edits has done with it now.
            self._core = None
        return core if self._whole else None

    def _run(self) -> None:
        try:
            if self._core is None:
                self._core = self._load()
            if not self.stopped:
                self._told(None)
            while not self.stopped:
                self._step()
        except Exception as error:
            log.debug("following.over", error=error)
            self._core = None
            if not self.stopped:
                self._told(error)

    def _load(self) -> Core:
        started = time.monotonic()
        with memory.of_an_image():
            core = self._reader.load(self._make, lambda: self.stopped)
        with core.lock:
            core.state.blocks.loaded(time.monotonic())
        seconds = round(time.monotonic() - started, 3)
        log.info("image.loaded", seconds=seconds, txid=core.state.commits.last_txid)
        return core

    def _step(self) -> None:
        """Carry out what is new; wait for it, for a while, if nothing is. What is in memory is not
        held meanwhile: nobody would find it in a thread that waits, if it were given up."""
        try:
            self._require_cluster()
            self._follow(self._reader.behind(self._txid(), self._round_seconds))
        except OutOfStep:
            raise
        except DfsError as error:
            if not error.retryable:
                raise
            log.debug("record.awaited", error=error.message)
            self._reader.turn()
            self._stopped.wait(PAUSE_SECONDS)

    def _require_cluster(self) -> None:
        core = self._core
        if core is not None and not core.cluster_id and self._reader.status().cluster_id:
            raise OutOfStep("the record of a new cluster has begun: it is loaded")

    def _follow(self, news: News) -> None:
        core = self._core
        if core is None:
            return
        self.decided_txid = news.decided
        digest, edits = core.digest, [decode(line) for line in news.lines]
        if news.lines:
            digest = digest_behind(digest, news.lines)
            self._reader.require_same(edits[-1].txid, digest)
        for first in range(0, len(edits), EDITS_AT_ONCE):
            with core.lock:
                if self.stopped:
                    return
                self._whole = False  # Half of an edit is worse than none.
                replay(core, edits[first : first + EDITS_AT_ONCE])
                self._whole = True
        core.digest = digest
        self._keep_time(core)

    def _keep_time(self, core: Core) -> None:
        now = time.monotonic()
        if core.state.commits.last_txid >= self.decided_txid:
            self._level_at = now
        if now >= self._next_round:
            self._next_round = now + self._round_seconds
            events: List[Event] = []
            with core.lock:
                if not self.stopped:
                    core.state.commits.retries.tick(now)
                    events = core.state.blocks.monitor.tick(now, core.random)
            for event in events:
                log.info(event.name, **dict(event.fields))

    def _txid(self) -> int:
        core = self._core
        return core.state.commits.last_txid if core is not None else 0

    def __repr__(self) -> str:
        return f"<Following {self._core!r}>"


def catch_up(core: Core, journal: Journal, reader: RecordReader) -> None:
    """Carry out all that is recorded and not in memory yet, before a term begins. Raises OutOfStep
    when the record does not go on where the core stands."""
    state = core.state
    # From now on the members know that all of it is decided.
    journal.confirm()
    while state.commits.last_txid < journal.durable_txid:
        lines = journal.kept_behind(state.commits.last_txid, core.digest)
        if lines is None:
            lines = reader.recorded(state.commits.last_txid)
        core.digest = digest_behind(core.digest, lines)
        with core.lock:
            replay(core, [decode(line) for line in lines])
    if state.commits.last_txid > journal.durable_txid:
        raise OutOfStep(
            f"the record ends at {journal.durable_txid}; {state.commits.last_txid} was followed"
        )
    core.digest = ""


def replay(core: Core, edits: List[Edit]) -> None:
    """Carry out edits; OutOfStep when they do not follow the last one. Under the core's lock."""
    last_txid = core.state.commits.last_txid
    if edits and edits[0].txid != last_txid + 1:
        raise OutOfStep(f"edit {edits[0].txid} does not follow {last_txid}")
    core.state.replay(edits)


def digest_behind(digest: str, lines: List[str]) -> str:
    """That of the chain after these edits; nothing when it was not known before them."""
    if digest:
        for line in lines:
            digest = following(digest, line)
    return digest
