"""What is asked of one namenode by itself, and whom that concerns: people, about who leads."""

from typing import NamedTuple

from zookeeper.fabric.calls import READS, TELLS, Calls, call
from zookeeper.fabric.identity import PEOPLE
from zookeeper.fabric.kinds import Natural, Text

ACTIVE, STANDBY = "active", "standby"
"""What a namenode is, in HDFS's words."""


class ServiceState(NamedTuple):
    """One namenode's: ACTIVE in the term of an `epoch`, or STANDBY; `trouble` says what keeps it
    from its work, and is empty when nothing does. The epoch is 0 without a proof that nobody else
    leads at this moment."""

    state: Text
    epoch: Natural
    trouble: Text


class AvailabilityCalls(Calls, who=PEOPLE):
    """What is asked of one namenode itself, whether it leads or not."""

    @call(READS)
    def service_state(self) -> ServiceState:
        """Whether it leads, and how it is."""

    @call(TELLS, superuser=True)
    def hand_over(self) -> None:
        """Let another namenode lead: the role is given up when this is answered, and taken again
        only if nobody else does. Raises InvalidArgument when there is no other, NotLeader when it
        does not lead."""
