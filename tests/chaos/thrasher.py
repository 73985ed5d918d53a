"""Breaks a cluster: kills, pauses, cuts, slows, fills and corrupts, as the seed says.

Every round prefers other faults, so that rare ones meet each other (swarm testing). Nothing is
broken beyond what the promise covers: of a block one replica is damaged a round, and only while
there are two good ones besides; a disk that is taken away comes back with what was on it.
"""

import heapq
import itertools
import signal
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from tests.chaos.history import History
from tests.chaos.load import Load
from tests.support.clusters.cluster import Cluster, Link
from tests.support.disks.damage import DAMAGES
from tests.support.disks.every_replica import Replica, replicas_on
from tests.support.disks.small_disk import SmallDisk

DEAD_SECONDS = 3.0
STAY_SECONDS = (0.3, 1.0, DEAD_SECONDS + 2.0)
"""About how long a fault lasts: one of these, so that some outlast what makes a node dead."""

READY_SECONDS = 300.0
"""A daemon that is not ready by then never will be, however much else the machine has to do."""

DELAY_SECONDS = (0.05, 0.3)
GOOD_BESIDES = 2


class Thrasher:
    """Breaks things from `run` to its end, and mends all of them again."""

    def __init__(
        self,
        cluster: Cluster,
        links: Sequence[Link],
        small_disks: Dict[str, SmallDisk],
        load: Load,
        history: History,
        random: Random,
    ) -> None:
        self._cluster = cluster
        self._links = links
        self._small_disks = small_disks
        self._load = load
        self._history = history
        self._random = random
        self._undo: List[Tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._down: Set[str] = set()
        self._paused: Set[str] = set()
        self._lost: Dict[str, Path] = {}
        self._damaged: Set[str] = set()
        self.deeds_done = 0
        self.deeds_failed = 0

    def run(self, seconds: float, pause_seconds: float) -> None:
        """Break something about every `pause_seconds`, for so many seconds; then mend all.

        Stops at once when a daemon has ended that nobody killed.
        """
        deeds = self._choose_deeds()
        self._damaged.clear()
        end = time.monotonic() + seconds
        next_deed = time.monotonic()
        while time.monotonic() < end and not self.ended_by_themselves():
            if time.monotonic() >= next_deed:
                self._try(self._random.choices(*deeds)[0])
                next_deed += 2 * pause_seconds * self._random.random()
            self._undo_what_is_due(time.monotonic())
            due = min([next_deed, end] + [when for when, _, _ in self._undo[:1]])
            time.sleep(max(0.0, due - time.monotonic()))
        self._note("all is mended")
        self._undo_what_is_due(float("inf"))
        self.start_all()

    def ended_by_themselves(self) -> List[str]:
        """Daemons that nobody killed and that do not run (I7)."""
        return [
            role for role in self._cluster.roles
            if role not in self._down and not self._cluster.daemons[role].running
        ]  # fmt: skip

    def kill_all(self) -> None:
        """SIGKILL for every daemon at once, as a power cut that forgets no disk's cache."""
        self._note("everything is killed")
        for role in self._cluster.roles:
            self._kill(role)

    def start_all(self) -> None:
        """Start whatever is down, in an order of the seed's; returns when all are ready."""
        roles = list(self._cluster.roles)
        self._random.shuffle(roles)
        self._note(f"all that is down starts: {' '.join(r for r in roles if r in self._down)}")
        for role in roles:
            self._start(role)
        for role in roles:
            if role not in self.ended_by_themselves():
                self._cluster.daemons[role].wait_ready(READY_SECONDS)

    def kill_some(self, roles: List[str]) -> None:
        """SIGKILL for these; they stay down until `start_all`."""
        self._note(f"{' '.join(roles)} are killed")
        for role in roles:
            self._kill(role)

    def _try(self, deed: Callable[[], bool]) -> None:
        """Do something bad. What cannot be done ends no trial: a replica may be gone before it is
        damaged, and a full disk takes no more of anything."""
        try:
            self.deeds_done += deed()
        except OSError as error:
            self.deeds_failed += 1
            name = getattr(deed, "__name__", str(deed)).strip("_").replace("_", " ")
            self._note(f"could not {name}: {error}")

    # The deeds. Each returns whether it did something.

    def deeds(self) -> Dict[Callable[[], bool], float]:
        """All that may be done to the cluster, and how often."""
        deeds: Dict[Callable[[], bool], float] = {
            self._crash: 4, self._crash_name_node: 2, self._pause: 3, self._hurt_client: 3,
            self._rot: 4, self._break_link: 4, self._crash_all: 0.3,
        }  # fmt: skip
        if self._small_disks:
            deeds[self._fill] = 2
        if any(len(self._cluster.directories(role)) > 1 for role in self._cluster.data_nodes):
            deeds[self._lose_directory] = 1
        return deeds

    def _choose_deeds(self) -> Tuple[List[Callable[[], bool]], List[float]]:
        deeds = self.deeds()
        chosen = [deed for deed in deeds if self._random.random() < 0.7] or [self._crash]
        return chosen, [deeds[deed] for deed in chosen]

    def _crash(self) -> bool:
        return self._crash_one(self._random.choice(self._cluster.roles))

    def _crash_name_node(self) -> bool:
        return self._crash_one(self._random.choice(self._cluster.name_nodes))

    def _crash_one(self, role: str) -> bool:
        seconds = self._seconds()
        if role in self._down:
            return False
        self._note(f"kill {role} for {seconds:.1f} s")
        self._kill(role)
        self._later(seconds, partial(self._start, role))
        return True

    def _crash_all(self) -> bool:
        self.kill_all()
        for role in self._cluster.roles:
            self._later(self._seconds(), partial(self._start, role))
        return True

    def _pause(self) -> bool:
        return self._pause_one(self._random.choice(self._cluster.roles), self._seconds())

    def _pause_one(self, role: str, seconds: float) -> bool:
        if role in self._down or role in self._paused:
            return False
        self._note(f"pause {role} for {seconds:.1f} s")
        self._cluster.pause(role)
        self._paused.add(role)
        self._later(seconds, partial(self._resume, role))
        return True

    def _hurt_client(self) -> bool:
        kill, seconds = self._random.random() < 0.6, self._seconds()
        for process in self._load.victims():
            self._note(f"{'kill' if kill else 'pause'} the client {process.pid}")
            if kill:
                process.kill()
            else:
                process.send_signal(signal.SIGSTOP)
                self._later(seconds, partial(process.send_signal, signal.SIGCONT))
            return True
        return False

    def _break_link(self) -> bool:
        link, seconds = self._random.choice(self._links), self._seconds()
        proxy = self._cluster.link(*link)
        how = self._random.choice(("cut", "stall", "reset", "delay"))
        delay = self._random.choice(DELAY_SECONDS)
        self._note(f"{how} the link {link[0]}-{link[1]} for {seconds:.1f} s")
        proxy.delay(delay) if how == "delay" else getattr(proxy, how)()
        self._later(seconds, proxy.heal)
        return True

    def _rot(self) -> bool:
        """Damage a replica; never the last good one, and one a block at a time."""
        disks = {role: replicas_on(self._cluster, role) for role in self._cluster.data_nodes}
        pairs = [(role, name) for role in sorted(disks) for name in sorted(disks[role])]
        self._random.shuffle(pairs)
        kind = self._random.choice(list(DAMAGES))
        for role, name in pairs:
            good = [other for other in disks if _is_good(disks[other].get(name))]
            if name in self._damaged or role not in good or len(good) <= GOOD_BESIDES:
                continue
            self._damaged.add(name)
            DAMAGES[kind](disks[role][name].path)
            self._note(f"damage {name} on {role}: {kind}")
            return True
        return False

    def _fill(self) -> bool:
        role, seconds = self._random.choice(sorted(self._small_disks)), self._seconds()
        self._note(f"fill the disk of {role} for {seconds:.1f} s")
        self._small_disks[role].fill()
        self._later(seconds, self._small_disks[role].drain)
        return True

    def _lose_directory(self) -> bool:
        """Take one of several directories away; the daemon meets it anew when it is back."""
        several = [r for r in self._cluster.data_nodes if len(self._cluster.directories(r)) > 1]
        role, seconds = self._random.choice(several), self._seconds()
        if role in self._lost:
            return False
        path = self._cluster.directories(role)[-1]
        away = path.with_name(path.name + "-away")
        self._note(f"take {path.name} away for {seconds:.1f} s")
        path.rename(away)
        self._lost[role] = away

        def bring_back() -> None:
            self._kill(role)
            if path.exists():
                # A daemon that was started meanwhile took it for a new disk.
                path.rename(path.with_name(f"{path.name}-new-{next(self._order)}"))
            self._lost.pop(role).rename(path)
            self._start(role)

        self._later(seconds, bring_back)
        return True

    # Within.

    def _kill(self, role: str) -> None:
        daemon = self._cluster.daemons[role]
        if daemon.running:
            daemon.kill()
        self._down.add(role)
        self._paused.discard(role)

    def _start(self, role: str) -> None:
        if role in self._down:
            self._cluster.daemons[role].start()
            self._down.discard(role)

    def _resume(self, role: str) -> None:
        if role in self._paused and self._cluster.daemons[role].running:
            self._cluster.resume(role)
        self._paused.discard(role)

    def _seconds(self) -> float:
        return self._random.choice(STAY_SECONDS) * self._random.uniform(0.5, 1.5)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._undo, (time.monotonic() + seconds, next(self._order), action))

    def _undo_what_is_due(self, now: float) -> None:
        while self._undo and self._undo[0][0] <= now:
            heapq.heappop(self._undo)[2]()

    def _note(self, text: str) -> None:
        self._history.note(text)


def _is_good(replica: Optional[Replica]) -> bool:
    return replica is not None and not replica.problem
