"""How a gateway asks one daemon for its figures, and what it makes of each refusal."""

from math import inf
from typing import Any, Dict, Iterator

import pytest

from data_service.protocol.health import AilingMember
from data_service.web.figures.asker import Asker, daemons_of
from tests.support.models.seen_cluster import NODES, STATUS, process
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    InvalidArgument,
    NotLeader,
    PermissionDenied,
    Unavailable,
)
from zookeeper.fabric.figures import START_TIME, gauge, value_in
from zookeeper.fabric.identity import DATA_NODE, GATEWAY, METADATA, NAME_NODE, Principal
from zookeeper.fabric.settings import Address, NameNodeSettings, Settings

PLACE = Address("localhost", 1800)
FIGURES = tuple(map(tuple, process()))
AILMENT = AilingMember("localhost:2", "lags", "lags by 7 edits.", "Wait.")


class Pool:
    """Answers each call as it is told, by the call's name."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def perform(self, address: Address, call: Call, args: Any, seconds: float) -> Any:
        """As a pool of connections does it."""
        assert address == PLACE and 0 < seconds < 5, "no daemon has more time"
        answer = self._answers[call.name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def asker() -> Iterator[Asker]:
    """One whose connections are played."""
    made = Asker(Settings(), Credentials(Principal(GATEWAY)))
    yield made
    made.close()


def play(asker: Asker, role: str, **answers: Any) -> None:
    """Let a daemon answer so."""
    pools: Dict[str, Any] = asker._pools
    pools[role] = Pool(**answers)


def test_a_namenode_that_leads_tells_of_the_cluster(asker: Asker) -> None:
    play(asker, NAME_NODE, figures=FIGURES, cluster_status=tuple(STATUS),
         datanode_reports=tuple(map(tuple, NODES)), ailing_members=(tuple(AILMENT),))
    seen = asker(NAME_NODE, PLACE)
    assert (seen.status, seen.nodes, seen.families) == (STATUS, NODES, process())
    assert seen.ailing == (AILMENT,)
    assert seen.up and seen.address == "localhost:1800" and seen.seconds >= 0


def test_a_leader_of_an_older_release_knows_nothing_of_ailing_members(asker: Asker) -> None:
    play(asker, NAME_NODE, figures=FIGURES, cluster_status=tuple(STATUS), datanode_reports=(),
         ailing_members=InvalidArgument("no such method: ailing_members"))
    seen = asker(NAME_NODE, PLACE)
    assert (seen.status, seen.ailing) == (STATUS, ())


def test_one_that_does_not_lead_is_up_all_the_same(asker: Asker) -> None:
    play(asker, NAME_NODE, figures=FIGURES, cluster_status=NotLeader("another one leads"))
    seen = asker(NAME_NODE, PLACE)
    assert seen.up and seen.status is None and seen.families == process()


def test_a_daemon_of_an_older_release_is_there_and_tells_nothing(asker: Asker) -> None:
    play(asker, METADATA, figures=InvalidArgument("no such method: figures"))
    seen = asker(METADATA, PLACE)
    assert seen.up and seen.families == () and seen.version == ""


@pytest.mark.parametrize("error", [
    AuthenticationFailed("no key"), PermissionDenied("not you"),
])  # fmt: skip
def test_who_lets_nobody_in_is_barred(asker: Asker, error: Exception) -> None:
    play(asker, METADATA, figures=error)
    seen = asker(METADATA, PLACE)
    assert (seen.up, seen.barred, seen.error) == (False, True, error.args[0])


@pytest.mark.parametrize("error, told", [
    (Unavailable("cannot reach it"), "cannot reach it"),
    (DeadlineExceeded("it did not answer in time"), "it did not answer in time"),
    (ZeroDivisionError("a defect"), "cannot be asked: ZeroDivisionError"),
])  # fmt: skip
def test_who_does_not_answer_is_down(asker: Asker, error: Exception, told: str) -> None:
    play(asker, DATA_NODE, figures=error)
    seen = asker(DATA_NODE, PLACE)
    assert (seen.up, seen.barred, seen.error) == (False, False, told)


def test_an_answer_that_makes_no_sense_is_none(asker: Asker) -> None:
    play(asker, METADATA, figures=((1, 2),))
    assert "malformed" in asker(METADATA, PLACE).error


def test_what_is_no_figure_is_not_taken_in(asker: Asker) -> None:
    told = (*FIGURES, tuple(gauge("pyhdfs_transfers", "Transfers.", inf)))
    play(asker, DATA_NODE, figures=told)
    seen = asker(DATA_NODE, PLACE)
    assert seen.up and value_in(seen.families, "pyhdfs_transfers", -1) == -1
    assert value_in(seen.families, START_TIME) == 100


def test_every_daemon_of_the_configuration_is_asked() -> None:
    found = daemons_of(Settings(name_node=NameNodeSettings(hosts=(PLACE, Address("b", 2)))))
    assert [role for role, _ in found] == [
        "zookeeper", "metadata", "name_node", "name_node", "data_node", "data_node", "data_node"]
    assert (NAME_NODE, PLACE) in found


def test_a_key_to_a_datanode_comes_from_any_namenode_that_answers() -> None:
    hosts = (Address("localhost", 1), Address("localhost", 2))
    asker = Asker(Settings(name_node=NameNodeSettings(hosts=hosts)),
                  Credentials(Principal(GATEWAY)))
    asked = []

    class Admission:
        """The first namenode does not answer."""

        def ticket(self, host: str, port: int) -> str:
            """As the call."""
            asked.append((host, port))
            if len(asked) == 1:
                raise Unavailable("it is down")
            return "ticket"

    admission: Any = Admission()
    asker._admission = admission
    assert asker._ticket("d", 3) == "ticket" and asked == [("d", 3)] * 2
    asked.clear()
    asker._tries = 1
    with pytest.raises(Unavailable):
        asker._ticket("d", 3)
    asker.close()
