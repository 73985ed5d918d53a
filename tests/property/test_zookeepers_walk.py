"""Random walks of three zookeepers, of which one at a time is in trouble: nobody alive is given up.

The zookeepers are the real machines, and so is what makes one view of theirs. Whoever lives shows
itself to each of them that can be reached, once a second; whoever watches sees what each of them
answers, and what one saw last that hangs, until that silence has lasted for a session's life.
"""

import random
from typing import Dict, List, Mapping, Optional, Tuple

import pytest

from zookeeper.sessions import Sessions
from zookeeper.views import merged

EXPIRY = 5.0
STEPS = 400
SETTLED_SECONDS = 2
"""What everybody needs to be seen again by a zookeeper that has come back."""


class Host:
    """One zookeeper, and what a watcher knows of it."""

    def __init__(self, number: int) -> None:
        self.starts = 0
        self.number = number
        self.view: Optional[Mapping[str, str]] = None
        self.up = False
        self.silent_seconds = 0.0

    def start(self, now: float) -> None:
        """Begin with nobody."""
        self.starts += 1
        self.up, self.silent_seconds = True, 0.0
        self.state = Sessions(EXPIRY, self.starts << 40, now)

    def hear(self, client: str, life: int, data: str, now: float) -> None:
        """One process's heartbeat, in a session that it opens when it has none here."""
        session_id = f"{client} {life}"
        if not self.state.is_open(session_id):
            self.state.open(session_id, client, now)
            self.state.create(session_id, f"/data_nodes/{client}", data)
        self.state.heartbeat(session_id, now)

    def look(self, now: float) -> None:
        """A watcher's next answer, or none."""
        if self.up:
            self.state.tick(now)
            self.view = dict(self.state.children("/data_nodes").znodes)
            self.silent_seconds = 0.0
        else:
            self.silent_seconds += 1.0
            if self.silent_seconds > EXPIRY:
                self.view = None


class Walk:
    """Daemons that live and die, and zookeepers that do."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.hosts = [Host(number) for number in range(3)]
        self.births = 0
        self.lives: Dict[str, Tuple[int, str]] = {}
        self.dead_since: Dict[str, float] = {}
        self.trouble: Optional[Host] = None
        self.calm_until = 0.0
        for host in self.hosts:
            host.start(self.now)

    def run(self) -> None:
        """All steps."""
        for _ in range(STEPS):
            self.now += 1.0
            self.random.choice([self.change_a_daemon, self.change_a_zookeeper, lambda: None])()
            for host in self.hosts:
                for client, (life, data) in self.lives.items():
                    if host.up:
                        host.hear(client, life, data, self.now)
                host.look(self.now)
            self.check()

    def change_a_daemon(self) -> None:
        """One comes, with a new disk perhaps, or dies."""
        client = self.random.choice("abc")
        if client in self.lives:
            del self.lives[client]
            self.dead_since[client] = self.now
        else:
            self.births += 1
            self.lives[client] = (self.births, self.random.choice(("disk-1", "disk-2")))
            self.dead_since.pop(client, None)

    def change_a_zookeeper(self) -> None:
        """One stops or hangs, or comes back with or without what it knew."""
        if self.trouble is not None:
            if self.random.random() < 0.5:
                self.trouble.start(self.now)
            self.trouble.up, self.trouble = True, None
            self.calm_until = self.now + SETTLED_SECONDS
        elif self.now >= self.calm_until:
            self.trouble = self.random.choice(self.hosts)
            if self.random.random() < 0.5:
                self.trouble.start(self.now)  # It restarts at once, and knows nobody.
                self.calm_until = self.now + SETTLED_SECONDS
                self.trouble = None
            else:
                self.trouble.up = False

    def check(self) -> None:
        """Everybody alive is seen as what he is; nobody who died long ago is."""
        view = merged([host.view for host in self.hosts])
        assert view is not None
        for client, (_, data) in self.lives.items():
            assert view.get(f"/data_nodes/{client}") == data, (self.now, client)
        for client, since in self.dead_since.items():
            if self.now - since > 2 * EXPIRY + 2:
                assert f"/data_nodes/{client}" not in view, (self.now, client)


@pytest.mark.parametrize("seed", range(40))
def test_one_zookeeper_in_trouble_changes_nothing(seed: int) -> None:
    Walk(seed).run()


def by_counting(views: List[Optional[Mapping[str, str]]]) -> Optional[Dict[str, str]]:
    """The rule, read out."""
    asked = [view for view in views if view is not None]
    seen = {}
    for path in {path for view in asked for path in view}:
        said = [view[path] for view in asked if path in view]
        if len(said) >= len(asked) / 2:
            best = max(said.count(data) for data in said)
            seen[path] = next(data for data in said if said.count(data) == best)
    return seen if asked else None


def test_views_become_one_by_counting() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        views: List[Optional[Mapping[str, str]]] = []
        for _ in range(chance.randrange(4)):
            drawn = {path: chance.choice("xyz") for path in "abc" if chance.random() < 0.5}
            views.append(drawn if chance.random() < 0.8 else None)
        assert merged(views) == by_counting(views), views


def test_the_rule_in_examples() -> None:
    x, y, nobody = {"/a": "x"}, {"/a": "y"}, {}
    assert merged([]) is merged([None, None]) is None
    assert merged([x]) == merged([x, None]) == merged([x, nobody]) == merged([x, x, nobody]) == x
    assert merged([x, nobody, nobody]) == {}
    assert merged([x, y, y]) == y and merged([x, y]) == x and merged([None, y, x]) == y
