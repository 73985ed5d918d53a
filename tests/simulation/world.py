"""Virtual time, chance and a trace: what a simulated cluster has in place of machines.

Theory of operation. Everything happens in one thread. The world keeps a queue of deeds with the
time at which each is due, and does one after the other; between two deeds no time passes. A
process runs *scripts*: generators that yield what they wait for (`sleep`, a `Bell`, the answer of
a call) and are gone on with when it has come. Whatever is random is drawn from the world's one
source, in the order of the deeds, so a seed gives the same run every time: the trace's hash tells.

A process that crashes loses its scripts. One that is paused loses nothing: what would have
happened to it piles up, and happens when it is resumed, while time has gone on for the others.
"""

import hashlib
import heapq
from collections import deque
from contextlib import contextmanager
from inspect import isgenerator
from random import Random
from typing import Any, Callable, Deque, Dict, Generator, Iterator, List, Optional, Tuple

from zookeeper.fabric.errors import DfsError, InternalError

Wake = Callable[[Any, Optional[DfsError]], None]
"""Goes on with a script: with a value, or by raising an error in it. Only the first call counts."""

Awaited = Callable[[Wake], None]
"""What a script yields: it is given the wake, and keeps it until what is awaited has come."""

Script = Generator[Awaited, Any, Any]

EVENTS_KEPT = 60


class World:
    """The clock, the queue, the chance and the trace of one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.now = 0.0
        self.deeds = 0
        self.events: Deque[str] = deque(maxlen=EVENTS_KEPT)
        self.listener: Callable[[str], None] = self.events.append
        self._queue: List[Tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._hash = hashlib.sha256()

    def at(self, delay: float, deed: Callable[[], None]) -> None:
        """Do something `delay` seconds from now."""
        self._number += 1
        heapq.heappush(self._queue, (self.now + delay, self._number, deed))

    def step(self) -> None:
        """Do the next deed."""
        self.now, _, deed = heapq.heappop(self._queue)
        self.deeds += 1
        deed()

    def note(self, event: str) -> None:
        """Add a line to the trace."""
        line = f"{self.now:9.3f} {event}"
        self._hash.update(line.encode("utf-8"))
        self.listener(line)

    def trace_hash(self) -> str:
        """Tells the traces of two runs apart."""
        return self._hash.hexdigest()

    def explain(self, error: BaseException, steps: int, option: str = "") -> str:
        """What a failed run says: the last events, the rule, and how to see it again; `option` is
        one of scripts/simulate.py, with a blank."""
        lines = ["the last events:", *self.events, f"{type(error).__name__}: {error}"]
        again = f"{option}--seed {self.seed} --steps {steps} --trace"
        return "\n".join([*lines, f"python3 scripts/simulate.py {again}"])

    @contextmanager
    def explaining(self, steps: int, option: str = "") -> Iterator[None]:
        """Whatever goes wrong within is raised as an AssertionError that explains it: the seed is
        what replays it."""
        try:
            yield
        except Exception as error:
            raise AssertionError(self.explain(error, steps, option)) from error

    def chance(self, probability: float) -> bool:
        """True once in a while."""
        return self.random.random() < probability

    def sleep(self, seconds: float) -> Awaited:
        """To be yielded: go on after so long."""
        return lambda wake: self.at(seconds, lambda: wake(None, None))

    def __repr__(self) -> str:
        return f"<World seed {self.seed} at {self.now:.3f} s, {self.deeds} deeds>"


class Bell:
    """What scripts wait for together: `ring` goes on with all that wait now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: List[Wake] = []

    def wait(self, seconds: float) -> Awaited:
        """To be yielded: True when it rings, False when the time is up."""

        def start(wake: Wake) -> None:
            self._waiting.append(wake)
            self._world.at(seconds, lambda: wake(False, None))

        return start

    def ring(self) -> None:
        """Wake everybody."""
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake(True, None)


class _Task:
    """A script on its way."""

    def __init__(self, process: "Process", script: Script, done: Optional[Wake]) -> None:
        self._process = process
        self._script = script
        self._done = done
        self._awaits = 0
        self.over = False

    def step(self, value: Any, error: Optional[DfsError]) -> None:
        """Go on until the script waits again or ends."""
        if self.over:
            return
        try:
            if error is None:
                awaited = self._script.send(value)
            else:
                awaited = self._script.throw(error)
        except StopIteration as end:
            self._end(end.value, None)
        except DfsError as failure:
            self._end(None, failure)
        else:
            self._awaits += 1
            awaited(self._wake(self._awaits))

    def drop(self) -> None:
        """The process is gone, and the script with it."""
        self.over = True
        self._script.close()

    def _wake(self, number: int) -> Wake:
        def wake(value: Any, error: Optional[DfsError]) -> None:
            if self._awaits == number and not self.over:
                self._awaits += 1
                self._process.deliver(lambda: self.step(value, error))

        return wake

    def _end(self, value: Any, error: Optional[DfsError]) -> None:
        self.over = True
        self._process.forget(self)
        if self._done is not None:
            self._done(value, error)
        elif error is not None:
            raise InternalError(f"a script of {self._process.name} ended: {error!r}") from error


class Process:
    """A part of the cluster: `on_start` begins its scripts, methods `exposed_…` answer calls.

    `silent_since` is when it last stopped or was paused, `woke_at` when it was last resumed.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.up = False
        self.paused = False
        self.generation = 0
        self.silent_since = 0.0
        self.woke_at = -1e9
        self._offset = 0.0
        self._backlog: List[Callable[[], None]] = []
        self._tasks: Dict[_Task, None] = {}

    def on_start(self) -> None:
        """The process starts, with nothing but what it calls durable."""

    def clock(self) -> float:
        """This process's monotonic clock; those of two processes have nothing in common."""
        return self.world.now + self._offset

    def start(self) -> None:
        """Start a process that is down."""
        assert not self.up, f"{self.name} runs already"
        self.up = True
        self.generation += 1
        self._offset = self.world.random.uniform(0.0, 1e6)
        self.world.note(f"{self.name} starts")
        self.on_start()

    def crash(self) -> None:
        """kill -9."""
        self.world.note(f"{self.name} crashes")
        self._fall_silent()
        self.up = self.paused = False
        self._backlog = []
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.drop()

    def pause(self) -> None:
        """SIGSTOP."""
        self.world.note(f"{self.name} is paused")
        self._fall_silent()
        self.paused = True

    def resume(self) -> None:
        """SIGCONT: all that piled up happens now."""
        self.world.note(f"{self.name} wakes up")
        self.woke_at = self.world.now
        self.paused = False
        backlog, self._backlog = self._backlog, []
        for deed in backlog:
            self.deliver(deed)

    def _fall_silent(self) -> None:
        if self.up and not self.paused:
            self.silent_since = self.world.now

    def deliver(self, deed: Callable[[], None]) -> None:
        """Something happens to this process; later, while it is paused."""
        if self.paused:
            self._backlog.append(deed)
        elif self.up:
            deed()

    def spawn(self, script: Script, done: Optional[Wake] = None) -> None:
        """Run a script; without `done`, it must not end by an error."""
        task = _Task(self, script, done)
        self._tasks[task] = None
        task.step(None, None)

    def forget(self, task: _Task) -> None:
        """A script has ended."""
        self._tasks.pop(task, None)

    def receive(self, source: str, method: str, args: tuple, reply: Wake) -> None:
        """Answer a call, now or when the script that does so has ended."""
        self.world.note(f"{self.name} < {source} {method}{args}")
        try:
            result = getattr(self, f"exposed_{method}")(source, *args)
        except DfsError as error:
            reply(None, error)
            return
        if isgenerator(result):
            self.spawn(result, reply)
        else:
            reply(result, None)

    def __repr__(self) -> str:
        state = "paused" if self.paused else "up" if self.up else "down"
        return f"<{type(self).__name__} {self.name} {state}>"
