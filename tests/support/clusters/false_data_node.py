"""A datanode that lies: `python false_data_node.py LIE ARGUMENT...`, the rest as for a true one.

`changes`: what it is sent it stores and passes on in another form, with checksums that fit.
`claims`: it says that it has every block in the file that $CLAIMS names, and has read them all.
"""

import os
import sys
from pathlib import Path
from typing import Any, Iterable, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path[0] = str(ROOT)

from data_service.datanode import daemon, description, pipeline  # noqa: E402
from data_service.datanode.background.verifier import Verifier  # noqa: E402
from data_service.datanode.store.replica_map import Inventory, ReplicaMap  # noqa: E402
from data_service.protocol.blocks import DIGEST_BYTES, SealedBlock  # noqa: E402
from data_service.protocol.checksums import crc32  # noqa: E402
from data_service.protocol.nodes import NodeStats  # noqa: E402

CHANGES, CLAIMS = "changes", "claims"
GUESS = b"\1" * DIGEST_BYTES
"""The digest of a block that it knows nothing of."""


class Changing:
    """Packets whose first bytes are others than those that came."""

    def __init__(self, packets: Any) -> None:
        self._packets = packets

    def receive(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The next packet, changed, and the checksum of that."""
        packet = self._packets.receive(buffer)
        if packet is None:
            return None
        data = packet[0]
        data[:3] = b"999"[: len(data)]
        return data, crc32(data)

    @property
    def whole(self) -> bool:
        """As it is."""
        return bool(self._packets.whole)


def change_what_comes() -> None:
    """Have the pipeline take in something else."""
    receive = pipeline._receive_packets
    pipeline._receive_packets = lambda packets, *rest: receive(  # type: ignore[assignment]
        Changing(packets), *rest  # type: ignore[arg-type]
    )


def claim_all(claims: Iterable[SealedBlock]) -> None:
    """Have reports list these blocks, and each order to read one answered well; say, too, that
    there is more room than anywhere else."""
    claimed = {sealed.block: sealed.digest for sealed in claims}
    inventory = ReplicaMap.inventory

    def more(self: ReplicaMap) -> Inventory:
        true = inventory(self)
        digests = true.digests + tuple(claimed.values())
        return Inventory(true.good + tuple(claimed), true.corrupt, digests)

    def roomy(*stats: int) -> NodeStats:
        return NodeStats(*stats)._replace(capacity=1 << 60, remaining=1 << 60)

    ReplicaMap.inventory = more  # type: ignore[method-assign]
    Verifier.verify = (  # type: ignore[method-assign]
        lambda _self, block: SealedBlock(*block, claimed[block])
    )
    description.NodeStats = roomy  # type: ignore[assignment, misc]


def claim_of(line: str) -> SealedBlock:
    """What a line claims: number, generation, length, and the digest where it is known."""
    numbers, digest = line.split()[:3], line.split()[3:]
    return SealedBlock(*map(int, numbers), bytes.fromhex(*digest) if digest else GUESS)


def main() -> int:
    """Serve until told to stop."""
    lie = sys.argv.pop(1)
    if lie == CHANGES:
        change_what_comes()
    else:
        claim_all(map(claim_of, Path(os.environ["CLAIMS"]).read_text("ascii").splitlines()))
    return daemon.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
