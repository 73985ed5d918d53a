"""Election: one leader a role, epochs that only grow, and their file."""

from typing import Iterator

import pytest

from zookeeper.election import ROLES_MAX, Election, Leader, decode_epochs, encode_epochs
from zookeeper.fabric.errors import CorruptData, InvalidArgument

ROLE = "name_node"


@pytest.fixture(name="election")
def _election() -> Iterator[Election]:
    election = Election({})
    yield election
    election.check()


def lead(election: Election, session_id: str, data: str = "") -> int:
    """Both steps of a campaign for a free role."""
    epoch = election.stand(session_id, ROLE, data)
    assert epoch is not None
    election.seat(session_id, ROLE, data, epoch)
    return epoch


def test_the_first_candidate_leads_and_the_second_does_not(election: Election) -> None:
    assert lead(election, "s1", "localhost:1701") == 1
    assert election.stand("s2", ROLE, "localhost:1702") is None
    assert election.leader(ROLE) == Leader("s1", 1, "localhost:1701")


def test_the_leader_that_asks_again_keeps_its_epoch(election: Election) -> None:
    lead(election, "s1", "old")
    assert election.stand("s1", ROLE, "new") is None
    assert election.leader(ROLE) == Leader("s1", 1, "new")


def test_nobody_leads_before_the_epoch_is_durable(election: Election) -> None:
    assert election.stand("s1", ROLE, "") == 1
    assert election.leader(ROLE) is None
    assert election.epochs() == {ROLE: 1}


def test_an_epoch_that_was_never_seated_is_not_given_again(election: Election) -> None:
    assert election.stand("s1", ROLE, "") == 1
    assert election.stand("s2", ROLE, "") == 2


def test_the_next_leader_has_a_larger_epoch(election: Election) -> None:
    lead(election, "s1")
    election.resign("s1", ROLE)
    assert election.leader(ROLE) is None
    assert lead(election, "s2") == 2
    election.release("s2")
    assert lead(election, "s1") == 3


def test_only_the_leader_can_resign(election: Election) -> None:
    lead(election, "s1")
    election.resign("s2", ROLE)
    election.release("s2")
    election.resign("s1", "another_role")
    assert election.leader(ROLE) == Leader("s1", 1, "")


def test_a_session_that_ends_frees_all_its_roles(election: Election) -> None:
    lead(election, "s1")
    epoch = election.stand("s1", "balancer", "")
    assert epoch == 1
    election.seat("s1", "balancer", "", epoch)
    election.release("s1")
    assert (election.leader(ROLE), election.leader("balancer")) == (None, None)


def test_epochs_go_on_after_a_restart(election: Election) -> None:
    lead(election, "s1")
    again = Election(decode_epochs(encode_epochs(election.epochs())))
    assert again.leader(ROLE) is None
    assert lead(again, "s2") == 2


@pytest.mark.parametrize("role", ["", "Name", "1st", "a b", "a" * 65, "é", "a\n"])
def test_a_role_that_is_none_is_refused(election: Election, role: str) -> None:
    with pytest.raises(InvalidArgument):
        election.stand("s1", role, "")
    with pytest.raises(InvalidArgument):
        election.leader(role)


def test_the_number_of_roles_is_limited(election: Election) -> None:
    for number in range(ROLES_MAX):
        assert election.stand("s1", f"role_{number}", "") == 1
    with pytest.raises(InvalidArgument):
        election.stand("s1", "one_more", "")
    assert election.stand("s1", "role_0", "") == 2
    with pytest.raises(InvalidArgument):
        election.stand("s1", "role_0", "\ud800")


def test_the_file_reads_as_text() -> None:
    content = encode_epochs({"name_node": 17, "balancer": 2})
    assert content.decode().splitlines()[:3] == ["epochs 1", "balancer 2", "name_node 17"]
    assert decode_epochs(content) == {"name_node": 17, "balancer": 2}
    assert decode_epochs(encode_epochs({})) == {}


def test_a_file_with_any_flipped_bit_is_refused() -> None:
    content = encode_epochs({"name_node": 17})
    for position in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(CorruptData):
            decode_epochs(bytes(damaged))


def test_a_file_cut_anywhere_is_refused() -> None:
    content = encode_epochs({"name_node": 17, "balancer": 2})
    for length in range(len(content)):
        with pytest.raises(CorruptData):
            decode_epochs(content[:length])
    with pytest.raises(CorruptData):
        decode_epochs(content + b"\n")


def test_repr_tells_the_state(election: Election) -> None:
    assert repr(election) == "<Election no roles>"
    lead(election, "s1")
    assert repr(election) == "<Election name_node epoch 1 led>"
