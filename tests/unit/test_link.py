"""The link's own parts: outages without our own sleep in them, pauses that grow."""

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import Settings, ZooKeeperSettings
from zookeeper.link import Link, Outage


def test_pauses_grow_to_the_heartbeat_and_are_not_in_step() -> None:
    settings = Settings(zookeeper=ZooKeeperSettings(heartbeat_seconds=1.0))
    address = settings.zookeeper.hosts[0]
    links = [Link(address, settings, Credentials(Principal("a"))) for _ in range(2)]
    pauses = [[link.pause() for _ in range(200)] for link in links]
    assert pauses[0] != pauses[1]
    assert all(0.05 <= row[0] <= 0.1 for row in pauses)
    assert all(0.5 <= pause <= 1.0 for row in pauses for pause in row[5:])


def test_an_outage_counts_only_time_awake() -> None:
    outage = Outage(limit_seconds=9.0, now=100.0)
    assert not outage.failed(104.0)
    assert not outage.failed(109.0), "the limit itself is still in time"
    assert outage.failed(109.5)
    outage.reached(110.0)
    assert not outage.failed(119.0)
    assert repr(outage) == "<Outage 6.0 of 9 s>"


def test_our_own_suspension_is_no_outage() -> None:
    outage = Outage(limit_seconds=9.0, now=0.0)
    outage.reached(1.0)
    assert not outage.failed(3601.0), "we slept for an hour; the other side was not asked"
    assert not outage.failed(3603.0)
    assert outage.failed(3605.0)
