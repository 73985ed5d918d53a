"""Restart daemons: all of them at once, or one after the other while the cluster goes on."""

import time
from typing import Sequence

from scripts.supervision.daemons import Daemon, Site
from scripts.supervision.starting import QUIET_SECONDS, say, start
from scripts.supervision.stopping import stop
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.identity import METADATA
from zookeeper.fabric.settings import Settings

PAUSE_SECONDS = 0.2


def restart(site: Site, own_hosts: Sequence[str], chosen: Sequence[Daemon]) -> int:
    """Stop all of these, then start them; the exit status."""
    stopped = stop(site, chosen)
    # Records are read again; one that has left config.ini is not started.
    site = Site(site.settings, own_hosts)
    places = {(daemon.kind, daemon.address) for daemon in chosen}
    again = [daemon for daemon in site.daemons if (daemon.kind, daemon.address) in places]
    return max(stopped, start(site, again))


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
