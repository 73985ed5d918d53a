"""haadmin: what it says of metadata services, and of names that are missing."""

from contextlib import nullcontext
from math import inf
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from data_service.protocol.availability_calls import (
    ACTIVE,
    STANDBY,
    Comparison,
    MemberRow,
    ServiceState,
)
from data_service.shell.commands import haadmin
from metadata_service.ailments import FOREIGN
from tests.support.terminal.shell import Shell
from zookeeper.fabric.settings import Address

WELL = MemberRow("a:1", "id", "ok", 1, 1, 7, 7, 0, 1.0, 2.0, True)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


class _NameNodes:
    """As NameNodes: one, which leads, and tells this."""

    addresses: Tuple[Address, ...] = (Address("localhost", 1800),)

    def __init__(self, rows: List[MemberRow], comparison: Comparison) -> None:
        self._rows, self._comparison = tuple(rows), comparison

    def state(self, _address: Address) -> ServiceState:
        """See NameNodes."""
        return ServiceState(ACTIVE, 1, "")

    def members(self, _address: Address) -> Tuple[MemberRow, ...]:
        """See NameNodes."""
        return self._rows

    def compare_members(self, _address: Address) -> Comparison:
        """See NameNodes."""
        return self._comparison


def having(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, *rows: MemberRow, known: bool = True,
    differing: Tuple[str, ...] = (), silent: Tuple[str, ...] = (),
) -> None:
    """The cluster's only namenode tells this."""
    made: Any = _NameNodes([*rows], Comparison(known, differing, silent))
    monkeypatch.setattr(
        shell.filesystem, "name_nodes", lambda: nullcontext(made), raising=False)


def test_of_members_that_are_well_a_row_is_told_and_no_more(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    having(shell, monkeypatch, WELL)
    assert len(shell.good("haadmin", "-members").splitlines()) == 2


def test_what_is_wrong_with_a_member_is_told_with_what_to_do(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = WELL._replace(
        address="b:1", state=FOREIGN, lag=5000, words="keeps another record", advice="Stop it.")
    having(shell, monkeypatch, WELL, foreign)
    *_, row, said = shell.good("haadmin", "-members").splitlines()
    assert row.split()[6] == "-", "edits of another record are not counted"
    assert said == "The metadata service b:1 keeps another record. Stop it."


def test_of_members_that_nobody_leads_it_is_told_why(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new disk was said to be taken in by itself, when most of the old ones were lost."""
    pair: Any = _Pair("waits for a:1", led=False)
    pair.members = lambda _: (WELL,)
    monkeypatch.setattr(shell.filesystem, "name_nodes", lambda: nullcontext(pair), raising=False)
    *_, first, _ = shell.good("haadmin", "-members").splitlines()
    assert first == "The namenode a:1 does not lead: it waits for a:1."


@pytest.mark.parametrize("known, differing, silent, said", [
    (True, (), ("b:1",), "b:1: could not tell what its rows are"),
    (True, ("b:1",), (), "it fetches them anew"),
    (False, ("a:1", "b:1"), (), "no majority of the metadata services has the same rows"),
    (False, (), ("b:1", "c:1"), "too few metadata services could tell"),
])  # fmt: skip
def test_who_is_silent_is_not_said_to_differ(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, known: bool, differing: Tuple[str, ...],
    silent: Tuple[str, ...], said: str,
) -> None:
    having(shell, monkeypatch, WELL, known=known, differing=differing, silent=silent)
    told = shell.bad("haadmin", "-verify", status=255)
    assert said in told and ("differ" in told) == bool(differing)


def test_a_failover_without_a_target_says_what_is_missing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    having(shell, monkeypatch, WELL)
    said = shell.bad("haadmin", "-failover", "nn0", status=255)
    assert "failover: incorrect arguments: name the one that leads and the one that shall" in said


class _Pair:
    """As NameNodes: two, of which the first leads, if anybody does; the other one has a trouble,
    for so many answers, and takes the lead when it is given up."""

    addresses: Tuple[Address, ...] = (Address("a", 1), Address("b", 1))

    def __init__(self, trouble: str, answers: float = inf, led: bool = True) -> None:
        self._trouble, self._answers = trouble, answers
        self.leader = 0 if led else None
        self.asked = 0

    def named(self, name: str) -> Address:
        """See NameNodes."""
        return self.addresses[int(name[-1])]

    def state(self, address: Address) -> ServiceState:
        """See NameNodes."""
        if self.addresses.index(address) == self.leader:
            return ServiceState(ACTIVE, 1, "")
        self.asked += 1
        if self.leader is None and self.asked > 9:
            self.leader = 1
        return ServiceState(STANDBY, 0, self._trouble if self.asked <= self._answers else "")

    def hand_over(self, _address: Address) -> None:
        """See NameNodes."""
        self.leader = 1


def failing_over(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, pair: _Pair, *flags: str
) -> Tuple[Any, Optional[int]]:
    """What the command comes to, and who leads then."""
    monkeypatch.setattr(haadmin, "READY_SECONDS", 0.5)
    monkeypatch.setattr(
        shell.filesystem, "name_nodes", lambda: nullcontext(pair), raising=False)
    return shell.run("haadmin", "-failover", *flags, "nn0", "nn1"), pair.leader


TROUBLE = "would lead in safe mode, for lack of block reports"


def test_who_is_not_ready_to_lead_does_not_take_the_place_of_who_leads(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did, and nobody could change anything until its safe mode ended."""
    done, leader = failing_over(shell, monkeypatch, _Pair(TROUBLE))
    assert done.status == 255 and leader == 0
    assert f"nn1 is not ready to become active: it {TROUBLE}. The one that leads" in done.err


@pytest.mark.parametrize("pair, flags", [
    (_Pair(TROUBLE), ("--forceactive",)), (_Pair(TROUBLE, answers=2), ()),
    (_Pair(TROUBLE, led=False), ()),
], ids=["forced", "ready soon", "nobody leads"])  # fmt: skip
def test_who_is_forced_or_ready_in_a_moment_or_the_only_one_leads(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, pair: _Pair, flags: Tuple[str, ...]
) -> None:
    done, leader = failing_over(shell, monkeypatch, pair, *flags)
    assert (done.status, leader) == (0, 1), done
