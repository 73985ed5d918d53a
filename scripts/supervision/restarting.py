"""Restart daemons: all of them at once, or one after the other while the cluster goes on."""

import time
from typing import Sequence

from scripts.supervision.daemons import Daemon, Site, say
from scripts.supervision.starting import QUIET_SECONDS, begin, wait
from scripts.supervision.stopping import stop
from scripts.supervision.turn import turn
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.identity import METADATA
from zookeeper.fabric.settings import Settings

PAUSE_SECONDS = 0.2


def restart(site: Site, own_hosts: Sequence[str], chosen: Sequence[Daemon]) -> int:
    """Stop all of these, then start them; the exit status."""
    places = {(daemon.kind, daemon.address) for daemon in chosen}
    with turn(site.folder):
        # What others did meanwhile counts: records are read again, before and after.
        site = Site(site.settings, own_hosts)
        stopped = stop(site, [daemon for daemon in site.daemons + site.left
                              if (daemon.kind, daemon.address) in places])  # fmt: skip
        site = Site(site.settings, own_hosts)
        # One that has left config.ini is not started.
        begun = begin(site, [daemon for daemon in site.daemons
                             if (daemon.kind, daemon.address) in places])  # fmt: skip
    return max(stopped, wait(begun))


def restart_in_turn(site: Site, own_hosts: Sequence[str], chosen: Sequence[Daemon]) -> int:
    """Restart each when the one before serves again; the exit status. One that does not is the
    last: with the next one the cluster might end. So those that are down come first."""
    chosen = sorted(chosen, key=lambda daemon: daemon.record() is not None)
    for place, daemon in enumerate(chosen):
        failed = restart(site, own_hosts, [daemon])
        if not failed and daemon.kind.name == METADATA and not _counts(site.settings, daemon):
            say(f"{daemon.role} {daemon.address} runs, and does not count again yet: "
                "pyhdfs haadmin -members tells why")
            failed = 1
        left = [other.role for other in chosen[place + 1 :]]
        if failed:
            if left:
                say(f"left as they are: {', '.join(left)}")
            return failed
    return 0


def _counts(settings: Settings, daemon: Daemon) -> bool:
    """Whether a metadata service takes part again; waits for that. Who may not know believes it."""
    # Imported here, because it needs RPyC: who only asks for the status may not have it.
    from data_service.filesystem import FileSystem

    deadline = time.monotonic() + QUIET_SECONDS
    with FileSystem(settings) as file_system:
        while time.monotonic() < deadline:
            try:
                ailing = [one.address for one in file_system.ailing_members()]
            except DfsError as error:
                say(f"the namenode does not answer: {error.message}")
                return False
            if daemon.address not in ailing:
                return True
            time.sleep(PAUSE_SECONDS)
    return False
