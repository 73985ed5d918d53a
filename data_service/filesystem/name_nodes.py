"""The namenodes of a cluster, each spoken to by itself: who leads is the question here."""

from typing import Dict, Tuple

from data_service.protocol.availability_calls import (
    AvailabilityCalls,
    Comparison,
    MemberRow,
    ServiceState,
)
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.identity import NAME_NODE
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.settings import Address, Settings

COMPARE_SECONDS = 1800.0
"""For so long all metadata services may read all their rows."""


class NameNodes:
    """Connections to each of `name_node_hosts`. For `with`.

    A namenode is named by its place in `name_node_hosts`, as in `nn0` or `0`, or by its address.
    """

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.addresses = settings.name_node.hosts
        self._pools: Dict[Address, RemotePool] = {
            address: RemotePool(NAME_NODE, address, credentials, settings.network)
            for address in self.addresses
        }

    def __enter__(self) -> "NameNodes":
        return self

    def __exit__(self, *_exception: object) -> None:
        for pool in self._pools.values():
            pool.close()

    def __repr__(self) -> str:
        return f"<NameNodes {' '.join(map(str, self.addresses))}>"

    def named(self, name: str) -> Address:
        """The address of a namenode; raises InvalidArgument, in HDFS's words, for none of them."""
        places = {str(address): address for address in self.addresses}
        for index, address in enumerate(self.addresses):
            places.update({f"nn{index}": address, str(index): address})
        if name not in places:
            raise InvalidArgument(f"Unable to determine service address for namenode '{name}'")
        return places[name]

    def state(self, address: Address) -> ServiceState:
        """What one of them says of itself; raises Unavailable when it says nothing."""
        return AvailabilityCalls(self._pools[address].perform).service_state()

    def members(self, address: Address) -> Tuple[MemberRow, ...]:
        """How one of them finds the metadata services; raises Unavailable when it says nothing."""
        return AvailabilityCalls(self._pools[address].perform).members()

    def compare_members(self, address: Address) -> Comparison:
        """Have the one that leads compare the metadata services; see AvailabilityCalls."""
        calls = AvailabilityCalls(self._pools[address].perform, COMPARE_SECONDS)
        return calls.compare_members()

    def hand_over(self, address: Address) -> None:
        """Have the one that leads let another one lead; see AvailabilityCalls."""
        AvailabilityCalls(self._pools[address].perform).hand_over()
