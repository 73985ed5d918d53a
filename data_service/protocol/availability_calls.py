"""What is asked of one namenode by itself, and whom that concerns: people, about who leads."""

from typing import NamedTuple, Tuple

from zookeeper.fabric.calls import READS, TELLS, Calls, call
from zookeeper.fabric.identity import PEOPLE
from zookeeper.fabric.kinds import Natural, Text

ACTIVE, STANDBY = "active", "standby"
"""What a namenode is, in HDFS's words."""


class ServiceState(NamedTuple):
    """One namenode's: ACTIVE in the term of an `epoch`, or STANDBY with 0, also in a term without a
    proof that nobody else leads at this moment. `trouble` says what keeps it from its work, and is
    empty when nothing does."""

    state: Text
    epoch: Natural
    trouble: Text


class MemberRow(NamedTuple):
    """How a namenode finds one metadata service. `promised` is the newest epoch that it promised,
    `log_epoch` that of the leader whose log it has, which goes to `last_txid`; its tables stand at
    `applied_txid`. It lacks `lag` edits of those that are known. `state` says how it fares, or why
    it cannot be asked; then the numbers say nothing. `words` tells what is wrong, behind its
    name, and `advice` what to do about it; both are empty when nothing is."""

    address: Text
    member_id: Text
    state: Text
    promised: Natural
    log_epoch: Natural
    last_txid: Natural
    applied_txid: Natural
    lag: Natural
    median_ms: float
    slow_ms: float
    room: bool
    words: Text = ""
    advice: Text = ""


class Comparison(NamedTuple):
    """How the rows of the metadata services compare. `differing` have other rows than most; when
    `known` is false nobody can tell whose are right. `silent` could not tell what theirs are."""

    known: bool
    differing: Tuple[Text, ...]
    silent: Tuple[Text, ...]


class AvailabilityCalls(Calls, who=PEOPLE):
    """What is asked of one namenode itself, whether it leads or not."""

    @call(READS)
    def service_state(self) -> ServiceState:
        """Whether it leads, and how it is."""

    @call(READS)
    def members(self) -> Tuple[MemberRow, ...]:
        """How it finds the metadata services, in the order of config.ini. Appends there take it
        half of the time at most `median_ms`, and one in a hundred takes longer than `slow_ms`; 0
        when it makes none."""

    @call(TELLS, superuser=True)
    def compare_members(self) -> Comparison:
        """Have the metadata services read all their rows and compare them, which takes some seconds
        a million files; who differs fetches them anew. Raises NotLeader."""

    @call(TELLS, superuser=True)
    def hand_over(self) -> None:
        """Let another namenode lead: the role is given up when this is answered, and taken again
        only if nobody else does. Raises InvalidArgument when there is no other, NotLeader when it
        does not lead."""
