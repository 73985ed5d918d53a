"""What namenode and datanodes say to each other: who a datanode is, how it fares, what to do."""

from typing import Annotated, NamedTuple, Tuple

from data_service.protocol.block_tokens import Token
from data_service.protocol.blocks import Block
from zookeeper.fabric.keys import KEY_BYTES, KEY_ID_BYTES
from zookeeper.fabric.kinds import Label, Length, Natural, PerhapsLabel, Port

REPLICATE = "replicate"
DELETE = "delete"
DELETE_CORRUPT = "delete_corrupt"
VERIFY = "verify"
REPORT = "report"
TRASH = "trash"


class Target(NamedTuple):
    """A datanode as a peer to connect to."""

    node_id: Label
    host: Label
    port: Port


Targets = Annotated[Tuple[Target, ...], Length(0, 512)]
"""Of one pipeline: no block has more replicas."""


class NodeInfo(NamedTuple):
    """How a datanode introduces itself at registration.

    `node_id` is on its disk and survives restarts; `incarnation` is drawn at each start of the
    process, so that two processes with one (cloned) disk can be told apart. `version` is the
    release that it runs; an older one does not tell it.
    """

    node_id: Label
    incarnation: Label
    host: Label
    port: Port
    rack: Label
    cluster_id: PerhapsLabel
    version: PerhapsLabel = ""


class Registration(NamedTuple):
    """The namenode's answer: the session to present, the epoch whose commands to obey, and whether
    it is that of this namenode, which `leads`. One of an older release answers only then."""

    session: Natural
    epoch: Natural
    cluster_id: Label
    leads: bool = True


class Ticket(NamedTuple):
    """A key to a datanode, given out for its next dials: from which cluster key, and when, in
    seconds since 1970."""

    key: Annotated[bytes, Length(0, KEY_BYTES)]
    key_id: Annotated[bytes, Length(0, KEY_ID_BYTES)]
    issued: Natural

    def __repr__(self) -> str:
        return f"<Ticket {self.key_id.hex()}, issued {self.issued}>"


class NodeStats(NamedTuple):
    """What a datanode tells with every heartbeat; sizes in bytes.

    Its process runs for `uptime_seconds`; an older release tells nothing of it.
    """

    capacity: Natural
    used: Natural
    remaining: Natural
    blocks: Natural
    streams: Natural
    failed_volumes: Natural
    uptime_seconds: Natural = 0

    @property
    def other(self) -> int:
        """What else than replicas takes room on its disks."""
        return max(0, self.capacity - self.used - self.remaining)


class Command(NamedTuple):
    """An order to a datanode, in the reply to its heartbeat.

    `replicate`: copy `blocks` (one) to `targets`, which the `token` opens. `delete`: remove
    `blocks`, which are deleted or surplus. `delete_corrupt`: remove those of `blocks` that are
    found to be corrupt once more, and tell of the others that they are good. `trash`: set `blocks`
    aside, which nobody claims. `verify`: read `blocks`, tell which are good and which are corrupt.
    `report`: send a full report now.
    """

    action: Label
    blocks: Tuple[Block, ...]
    targets: Targets
    token: Token = b""


def host_and_port(host: str, port: int) -> str:
    """Where a datanode listens, as it is written: a host with colons (IPv6) stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
