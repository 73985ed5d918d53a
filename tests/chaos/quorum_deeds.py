"""What breaks where several keep the record and one of several namenodes leads.

Never more than the cluster must survive: of one member at a time the disk is lost, and the next one
only when all are whole again. More than a minority may be down for a while, with their disks: then
nothing is acknowledged, which is what `silences` is for.
"""

import subprocess
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple

from tests.chaos.history import OK, Call
from tests.chaos.reckoning import WRITERS
from tests.chaos.shapes import Shape
from tests.chaos.survey import leader, members_unrest
from tests.chaos.thrasher import Thrasher
from tests.support.clusters.cluster import CLIENT
from tests.support.disks.member_damage import break_the_log, flip_a_row

LOG_BYTES_MIN = 256 * 1024
"""Of a log that has so much behind its first frames that their loss cannot be an end cut short."""

LEASE_SECONDS = 4.0
"""More than a leader's lease and a session of the zookeepers' together."""


class Silence(NamedTuple):
    """A stretch of time, by the history's clock, in which no change can have been decided."""

    began: float
    ended: float


class QuorumThrasher(Thrasher):
    """A Thrasher of a cluster of the shape `SEVERAL`."""

    def __init__(self, shape: Shape, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._shape = shape
        self._silent_since = -1.0
        self._is_disk_at_stake = False
        self._orders: List["subprocess.Popen[bytes]"] = []
        self.silences: List[Silence] = []

    def deeds(self) -> Dict[Callable[[], bool], float]:
        """Those of every cluster, and those that need several of a kind."""
        return {
            **super().deeds(), self._crash_pair: 3, self._pause_name_node: 3, self._cut_off: 5,
            self._leave_with_one: 3, self._empty_member: 2, self._damage_member: 2,
            self._crash_most_members: 1, self._fail_over: 2, self._crash_zookeepers: 1,
        }  # fmt: skip

    def run(self, seconds: float, pause_seconds: float) -> None:
        """See Thrasher; what clients were told to do has ended, too, when it returns."""
        self.silences.clear()
        super().run(seconds, pause_seconds)
        while self._orders:
            self._orders.pop().communicate()

    def _crash_pair(self) -> bool:
        """A namenode and what may have been on the same machine."""
        others = [*self._cluster.members, *self._cluster.zookeepers, *self._cluster.data_nodes]
        pair = self._random.choice(self._cluster.name_nodes), self._random.choice(others)
        return any([self._crash_one(role) for role in pair])

    def _pause_name_node(self) -> bool:
        return self._pause_one(
            self._random.choice(self._cluster.name_nodes), LEASE_SECONDS + self._seconds()
        )

    def _cut_off(self) -> bool:
        """Part of a network is lost to one, in both directions or in one."""
        cluster, name_node = self._cluster, self._random.choice(self._cluster.name_nodes)
        member = self._random.choice(cluster.members)
        ways = {
            f"{name_node} from all members": [(name_node, one) for one in cluster.members],
            f"{name_node} from the datanodes": [(one, name_node) for one in cluster.data_nodes],
            f"{name_node} from clients": [(CLIENT, name_node)],
            f"{member} from everybody": [
                (one, member) for one in self._shape.diallers(member)
            ] + [(member, one) for one in cluster.members if one != member],
            "the members from each other": [
                (one, other) for one in cluster.members for other in cluster.members
                if one != other
            ],
        }  # fmt: skip
        what = self._random.choice(sorted(ways))
        how, seconds = self._random.choice(("cut", "stall", "requests", "answers")), self._seconds()
        self._note(f"{how} for {seconds:.1f} s: {what}")
        for link in ways[what]:
            proxy = cluster.link(*link)
            if how in ("cut", "stall"):
                getattr(proxy, how)()
            else:
                proxy.stall(requests=how == "requests", answers=how == "answers")
            self._later(seconds, proxy.heal)
        return True

    def _leave_with_one(self) -> bool:
        """The leader reaches one member only, and nobody else does: what is stored there has no
        majority. Half of the time both are lost then, that member with its disk; the others must
        have everything that was acknowledged."""
        cluster, member = self._cluster, self._random.choice(self._cluster.members)
        seconds, are_lost = self._seconds(), self._random.random() < 0.5
        if not self._may_lose_a_disk():
            return False
        lonely = leader(cluster)
        if lonely in self._down | self._paused | {""}:
            return False
        others = [one for one in cluster.members if one != member]
        ways = [(lonely, one) for one in others] + [(member, one) for one in others]
        ways += [(one, member) for one in self._shape.diallers(member) if one != lonely]
        self._note(f"leave {lonely} with {member} only for {seconds:.1f} s"
                   + are_lost * ", then both are lost")
        for way in ways:
            cluster.link(*way).cut()
        self._is_disk_at_stake = are_lost

        def bring_back() -> None:
            if are_lost:
                self._crash_one(lonely)
                self._lose_disk(member)
            self._is_disk_at_stake = False
            for way in ways:
                cluster.link(*way).heal()

        self._later(seconds, bring_back)
        return True

    def _empty_member(self) -> bool:
        role = self._random.choice(self._cluster.members)
        if not self._may_lose_a_disk():
            return False
        self._lose_disk(role)
        return True

    def _lose_disk(self, role: str) -> None:
        seconds = self._seconds()
        self._note(f"empty the disk of {role}, which is back in {seconds:.1f} s")
        self._kill(role)
        self._cluster.wipe(role)
        self._later(seconds, partial(self._start, role))

    def _damage_member(self) -> bool:
        role, seconds = self._random.choice(self._cluster.members), self._seconds()
        damage = self._random.choice((flip_a_row, break_the_log))
        if not self._may_lose_a_disk():
            return False
        log_size = sum(
            path.stat().st_size for path in self._cluster.directory(role).glob("*-wal")
        )
        if damage is break_the_log and log_size < LOG_BYTES_MIN:
            return False
        self._note(f"{damage.__name__} of {role}, which is back in {seconds:.1f} s")
        self._kill(role)
        self._later(seconds, partial(self._start, role))
        damage(self._cluster.directory(role))
        return True

    def _may_lose_a_disk(self) -> bool:
        """Whether all members are there, and none of them misses anything, or is about to."""
        away = self._down | self._paused
        if self._is_disk_at_stake:
            return False
        return not away.intersection(self._cluster.members) and not members_unrest(self._cluster)

    def _crash_most_members(self) -> bool:
        """With a majority gone nothing may be acknowledged, until one of them is back."""
        members, seconds = self._cluster.members, LEASE_SECONDS + self._seconds()
        if self._silent_since >= 0 or self._down.intersection(members):
            return False
        gone = self._random.sample(members, len(members) // 2 + 1)
        self._note(f"kill {' '.join(gone)} for {seconds:.1f} s")
        for role in gone:
            self._kill(role)
        self._silent_since = self._history.now

        def bring_back() -> None:
            self.silences.append(Silence(self._silent_since, self._history.now))
            self._silent_since = -1.0
            for role in members:
                self._start(role)

        self._later(seconds, bring_back)
        return True

    def _start(self, role: str) -> None:
        """Not while a majority of members is meant to be away: `bring_back` comes later."""
        if self._silent_since < 0 or role not in self._cluster.members:
            super()._start(role)

    def _crash_zookeepers(self) -> bool:
        return any([self._crash_one(role) for role in self._cluster.zookeepers])

    def _fail_over(self) -> bool:
        """Whoever leads; it says that it cannot when it has been asked to what it is already."""
        names = [str(index) for index in range(len(self._cluster.name_nodes))]
        self._random.shuffle(names)
        self._note(f"have namenode {names[1]} lead instead of {names[0]}")
        self._orders.append(self._cluster.start_client("haadmin", "-failover", *names[:2]))
        return True


def judge_silences(calls: List[Call], silences: List[Silence]) -> List[str]:
    """I11: no change was acknowledged that was asked for while a majority was away."""
    return [
        f"I11: acknowledged with most members away ({silence.began:.3f} to {silence.ended:.3f}): "
        f"{call}"
        for silence in silences
        for call in calls
        if call.kind in WRITERS and call.outcome == OK
        and silence.began < call.began and call.ended < silence.ended
    ]  # fmt: skip
