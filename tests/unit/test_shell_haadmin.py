"""haadmin: what it says of metadata services, and of names that are missing."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest

from data_service.protocol.availability_calls import ACTIVE, Comparison, MemberRow, ServiceState
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
