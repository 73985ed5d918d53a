"""What another release sends is understood: rows with more fields, or without the last ones."""

from random import Random
from typing import Any, Dict, List

import pytest

from data_service.protocol.datanode_calls import DataNodeCalls
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.namenode_calls import NameNodeCalls
from metadata_service.calls import MemberCalls
from tests.support.models.sample_messages import draw, is_message, messages_in, newer, older, sent
from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric.calls import TAKES_BODY, Call, calls_of
from zookeeper.fabric.errors import ProtocolViolation
from zookeeper.fabric.kinds import decode

TABLES = (NameNodeCalls, DataNodeReports, DataNodeCalls, MemberCalls, ZooKeeperCalls)
CALLS: List[Call] = [call for table in TABLES for call in calls_of(table).values()]
ROUNDS = 30


def kinds_of(call: Call) -> List[Any]:
    """What crosses the wire in a call: its arguments, and its result, bodies left aside."""
    has_result = call.body in ("", TAKES_BODY)
    return [kind for _, kind in call.parameters] + [call.result_kind] * has_result


MESSAGES = {message for call in CALLS for kind in kinds_of(call) for message in messages_in(kind)}


def test_the_walk_meets_every_message() -> None:
    names = {message.__name__ for message in MESSAGES}
    assert {"FileStatus", "FsckRow", "Holder", "Presented", "NodeInfo", "Command", "Operation",
            "BlockChecksum", "MemberStatus", "Stored", "Proved", "Znode"} <= names
    assert len(names) > 30


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_more_fields_are_passed_over(call: Call) -> None:
    random = Random(call.name)
    for kind in kinds_of(call) * ROUNDS:
        value = draw(kind, random)
        assert repr(decode(kind, sent(kind, value, newer(random)))) == repr(value)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_last_fields_that_have_defaults_may_be_missing(call: Call) -> None:
    random = Random(call.name)
    for kind in kinds_of(call) * ROUNDS:
        value = draw(kind, random)
        assert_older(value, decode(kind, sent(kind, value, older(random))))


def assert_older(value: Any, received: Any) -> None:
    """The same but for last fields, which have their defaults."""
    if is_message(type(value)):
        assert type(received) is type(value)
        defaults: Dict[str, Any] = value._field_defaults
        for field, was, now in zip(value._fields, value, received):
            if not (field in defaults and now == defaults[field]):
                assert_older(was, now)
    elif isinstance(value, (tuple, list)):
        assert type(received) is type(value) and len(received) == len(value)
        for was, now in zip(value, received):
            assert_older(was, now)
    else:
        assert received == value


@pytest.mark.parametrize("message", sorted(MESSAGES, key=lambda kind: kind.__name__))
def test_a_field_that_must_be_there_must_be_there(message: Any) -> None:
    needed = len(message._fields) - len(message._field_defaults)
    row = sent(message, draw(message, Random(1)), lambda row, defaults: row)
    with pytest.raises(ProtocolViolation):
        decode(message, row[: needed - 1])
