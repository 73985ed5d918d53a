"""What `cluster.py calls` shows: how often each call was made of a daemon, and how long it took."""

from typing import Iterable, List, Tuple

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.meter import CallMetric, ServerCalls
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, Settings

ANSWER_SECONDS = 5.0
_HEAD = ("call", "made", "failed", "mean ms", "slowest ms")


def metrics_of(
    server: str, address: Address, credentials: Credentials, settings: Settings
) -> Tuple[CallMetric, ...]:
    """What the server of this role there measured. Raises errors of the family, Unavailable
    before all."""
    remote = Remote.connect(server, address, credentials, settings.network)
    try:
        return ServerCalls(remote.perform, ANSWER_SECONDS).metrics()
    finally:
        remote.close()


def table(metrics: Iterable[CallMetric]) -> List[str]:
    """Its lines: the calls that took most of the time first."""
    rows = [_HEAD]
    for row in sorted(metrics, key=lambda row: -row.seconds):
        mean, slowest = 1000 * row.seconds / row.made, 1000 * row.slowest_seconds
        rows.append(
            (row.name, str(row.made), str(row.failed), f"{mean:.2f}", f"{slowest:.1f}")
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join([row[0].ljust(widths[0])]
                  + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
        for row in rows
    ]
