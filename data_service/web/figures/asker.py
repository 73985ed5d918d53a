"""Asks one daemon of the cluster what it tells of itself, as this gateway and nobody else."""

import time
from dataclasses import replace
from functools import partial
from typing import Dict, List, Tuple

from data_service.filesystem.administration import Administration
from data_service.protocol.health import AilingMember, ClusterStatus, DataNodeStatus
from data_service.protocol.namenode_calls import AdmissionCalls, NameNodeCalls
from data_service.protocol.nodes import Ticket
from data_service.stubs.tickets import TicketCredentials
from data_service.web.figures.sightings import Sighting
from data_service.web.figures.sound_figures import sound
from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Perform
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    DfsError,
    InvalidArgument,
    NotLeader,
    PermissionDenied,
    Unavailable,
)
from zookeeper.fabric.figures import Family
from zookeeper.fabric.identity import DATA_NODE, GATEWAY, METADATA, NAME_NODE, ZOOKEEPER
from zookeeper.fabric.meter import ServerCalls
from zookeeper.fabric.pools import ConnectionPool, LeaderPool
from zookeeper.fabric.settings import Address, Settings

log = logs.get("figures")

ANSWER_SECONDS = 2.0
"""How long a daemon has for a connection, and for each answer."""

IDLE_SECONDS = 30.0
"""How long a connection is kept for the next look: it holds a thread of its daemon."""

Leading = Tuple[ClusterStatus, Tuple[DataNodeStatus, ...], Tuple[AilingMember, ...]]


def daemons_of(settings: Settings) -> List[Tuple[str, Address]]:
    """Role and address of every daemon of config.ini but the gateways."""
    return [
        (role, address)
        for role, section in (
            (ZOOKEEPER, settings.zookeeper),
            (METADATA, settings.metadata),
            (NAME_NODE, settings.name_node),
            (DATA_NODE, settings.data_node),
        )
        for address in section.hosts
    ]


class Asker:
    """Asks by connections that it keeps. May be used by any thread."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        own = settings.network
        network = replace(
            own,
            handshake_timeout_seconds=min(own.handshake_timeout_seconds, ANSWER_SECONDS),
            stall_timeout_seconds=min(own.stall_timeout_seconds, ANSWER_SECONDS),
        )
        self._namenodes = LeaderPool(NAME_NODE, settings.name_node.hosts, credentials, network)
        self._admission = AdmissionCalls(self._namenodes.perform, ANSWER_SECONDS)
        self._tries = len(settings.name_node.hosts)
        tickets = TicketCredentials(credentials, self._ticket)
        self._pools: Dict[str, ConnectionPool] = {
            role: ConnectionPool(role, shown, network, IDLE_SECONDS)
            for role, shown in (
                (NAME_NODE, credentials),
                (METADATA, credentials),
                (ZOOKEEPER, credentials),
                (DATA_NODE, tickets),
            )
        }

    def __call__(self, role: str, address: Address) -> Sighting:
        """What it answers, or why it does not."""
        began = time.monotonic()
        perform = partial(self._pools[role].perform, address)
        sighting = Sighting(role, str(address))
        try:
            sighting = sighting._replace(families=_figures(perform))
            if role == NAME_NODE:
                status, nodes, ailing = _leading(perform)
                sighting = sighting._replace(status=status, nodes=nodes, ailing=ailing)
        except NotLeader:
            pass  # It answers all the same.
        except (AuthenticationFailed, PermissionDenied) as error:
            sighting = sighting._replace(error=error.message, barred=True)
        except DfsError as error:
            sighting = sighting._replace(error=error.message)
        except Exception as error:  # A defect here must not hide the other daemons.
            log.error("figures.failed", exc_info=True, role=role, address=address)
            sighting = sighting._replace(error=f"cannot be asked: {type(error).__name__}")
        return sighting._replace(seconds=time.monotonic() - began)

    def close(self) -> None:
        """Hang up."""
        self._namenodes.close()
        for pool in self._pools.values():
            pool.close()

    def _ticket(self, host: str, port: int) -> Ticket:
        """A key to a datanode, of the first namenode that answers; also one that does not lead."""
        for left in range(self._tries - 1, -1, -1):
            try:
                return self._admission.ticket(host, port)
            except Unavailable:
                if not left:
                    raise
        raise Unavailable("there is no namenode that gives out tickets")


def _figures(perform: Perform) -> Tuple[Family, ...]:
    try:
        return sound(ServerCalls(perform, ANSWER_SECONDS).figures())
    except InvalidArgument:
        return ()  # Of an older release, which does not know the call; it is there.


def _leading(perform: Perform) -> Leading:
    cluster = Administration(NameNodeCalls(perform, ANSWER_SECONDS), GATEWAY)
    return cluster.cluster_status(), cluster.datanode_rooms(), cluster.ailing_members()
