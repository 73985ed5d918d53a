"""What members are sent, and what they answer: encoded once, and checked once."""

from typing import Any

import pytest
from rpyc.core import brine, consts

from metadata_service.calls import Witness
from metadata_service.edits import join_lines
from metadata_service.leader import appends
from metadata_service.leader.appends import Appends
from metadata_service.leader.ring import Ring
from metadata_service.quorum import START, Place, Stored
from tests.support.models.sample_edits import file_edits, lines_of
from zookeeper.fabric import frames
from zookeeper.fabric.errors import InvalidArgument, ProtocolViolation

LINES = lines_of(file_edits(1, 5))
WITNESS: Witness = (("other", 7, 3),)


def appends_of(count: int = 4, bytes_max: int = 1 << 20) -> Appends:
    """Of epoch 7, with so many edits."""
    return Appends(7, Ring(START, LINES[:count]), bytes_max)


def test_members_that_lack_the_same_are_sent_one_message() -> None:
    found = appends_of()
    message = found.message(2, 3, ())
    assert found.message(2, 3, ()) is message
    assert message.last == 4
    args = (7, Ring(START, LINES[:2]).last, join_lines(LINES[2:4]), 3, ())
    assert (message.request.method, message.request.args) == ("append", args)


def test_a_message_ends_where_it_would_be_too_long() -> None:
    message = appends_of(bytes_max=1).message(1, 1, ())
    assert (message.last, message.request.args[2]) == (2, join_lines(LINES[1:2]))


def test_another_message_is_sent_when_other_edits_or_another_witness_are_due() -> None:
    ring = Ring(START, LINES[:4])
    found = Appends(7, ring, 1 << 20)
    assert found.message(2, 3, ()).request.args[3:] == (3, ())
    assert found.message(2, 3, WITNESS).request.args[3:] == (3, WITNESS)
    assert found.message(3, 4, WITNESS).request.args[2] == join_lines(LINES[3:4])
    ring.add(LINES[4:])
    assert found.message(3, 4, WITNESS).last == 5
    with pytest.raises(KeyError):
        found.message(7, 4, WITNESS)


def test_who_is_late_is_sent_what_the_others_were_though_more_is_decided() -> None:
    found = appends_of()
    message = found.message(2, 3, WITNESS)
    assert found.message(2, 4, ()) is message and found.message(2, 4, WITNESS) is message


def test_who_lacks_nothing_is_told_what_is_decided_by_now() -> None:
    found = appends_of()
    for decided in (3, 4):
        assert found.message(4, decided, ()).request.args[2:] == (b"", decided, ())


def test_equal_answers_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found, checked = appends_of(), []
    result = appends.APPEND.result

    def heed(answer: Any) -> Any:
        checked.append(answer)
        return result(answer)

    monkeypatch.setattr(appends.APPEND, "result", heed)
    stored = found.meaning((4, "ab", 3, True))
    assert stored == Stored(4, "ab", 3, True) and stored.last == Place(4, "ab")
    assert found.meaning((4, "ab", 3, True)) is stored
    assert found.meaning((4, "ab", 4, False)) == Stored(4, "ab", 4, False)
    assert len(checked) == 2


@pytest.mark.parametrize("answer", [None, (), (4, "ab", 3, "yes"), (4, 5, 3, True)])
def test_what_is_no_answer_is_refused_however_often_it_comes(answer: Any) -> None:
    found = appends_of()
    for _ in range(2):
        with pytest.raises(ProtocolViolation):
            found.meaning(answer)
    assert found.meaning((4, "ab", 3, True)).room


@pytest.mark.parametrize("number", [1, 300, 10**9])
def test_a_request_is_the_same_but_for_its_number(number: int) -> None:
    request = frames.Request("echo", ("é", Place(3, "ab")))
    sent = frames.Frames.__new__(frames.Frames)
    sent._bytes_max = 1000
    named = (consts.LABEL_VALUE, (None, "echo", ("é", (3, "ab")), ()))
    whole = brine.dump((number, (consts.HANDLE_CALLATTR, named)))
    assert frames.request_message(sent, number, request) == b"\x01" + whole
    sent._bytes_max = len(whole)
    with pytest.raises(InvalidArgument):
        frames.request_message(sent, number, request)


def test_a_request_that_cannot_be_sent_is_not_made() -> None:
    with pytest.raises(InvalidArgument):
        frames.Request("echo", ("\ud800",))
    with pytest.raises(TypeError):
        frames.Request("echo", ([],))
