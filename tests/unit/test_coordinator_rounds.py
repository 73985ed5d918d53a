"""What the coordinator's threads say to the zookeeper, call by call, over a link that is a list."""

import threading
from typing import Any, Callable, List, Optional, Tuple

import pytest

from tests.support.clusters.coordination import Told
from tests.support.links.loopback import Recorder
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DfsError, PathExists, SessionExpired, Unavailable
from zookeeper.fabric.settings import ZooKeeperSettings
from zookeeper.session_keeper import SessionKeeper
from zookeeper.watch import Watch

OPENED: Tuple[str, float] = ("s1", 10.0)
HELD = (("/a", "1"),)


class Script:
    """A link that answers from a list, in order, and stops the thread when the list is over."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.calls: List[tuple] = []
        self.stopping = threading.Event()
        self.before: Callable[[int], None] = lambda number: None

    patience = 1.0

    def perform(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float] = None) -> Any:
        """The next answer, or error."""
        self.calls.append((call.name, *args))
        if call.name == "close_session":
            return None
        self.before(len(self.calls))
        answer = self._answers.pop(0)
        if not self._answers:
            self.stopping.set()
        if isinstance(answer, DfsError):
            raise answer
        return answer

    def pause(self) -> float:
        """No pause."""
        return 0.0

    def close(self) -> None:
        """Nothing to close."""


def session_of(script: Script) -> SessionKeeper:
    """A session over the script."""
    settings = ZooKeeperSettings(heartbeat_seconds=0.2)
    return SessionKeeper("me", script, settings)  # type: ignore[arg-type]


def test_a_round_asks_only_for_what_does_not_hold() -> None:
    script = Script(OPENED, None, HELD, HELD, None, ())
    session = session_of(script)
    session.want_znode("/a", "1")
    script.before = lambda number: session.want_znode("/a", None) if number == 4 else None
    session.keep(script.stopping)
    assert script.calls == [
        ("open_session", "me"),
        ("create", "s1", "/a", "1"),
        ("heartbeat", "s1"),
        ("heartbeat", "s1"),
        ("remove", "s1", "/a"),
        ("heartbeat", "s1"),
        ("close_session", "s1"),
    ]


def test_a_round_ends_at_the_first_sign_of_an_outage() -> None:
    script = Script(OPENED, Unavailable(), (), None, None)
    session = session_of(script)
    session.want_znode("/a", "1")
    session.want_znode("/b", "2")
    session.keep(script.stopping)
    assert [call[0] for call in script.calls] == [
        "open_session", "create", "heartbeat", "create", "create", "close_session"
    ], "a zookeeper that hangs must not be asked again before the next heartbeat"


def test_a_registration_whose_answer_was_lost_is_taken_back() -> None:
    script = Script(OPENED, Unavailable(), HELD, Unavailable(), HELD, None)
    session = session_of(script)
    session.want_znode("/a", "1")
    script.before = lambda number: session.want_znode("/a", None) if number == 2 else None
    session.keep(script.stopping)
    assert [call[0] for call in script.calls] == [
        "open_session", "create", "heartbeat", "remove", "heartbeat", "remove", "close_session"
    ]


def test_a_znode_that_went_to_another_is_registered_again() -> None:
    script = Script(OPENED, None, HELD, (), PathExists(), (), None, HELD)
    session = session_of(script)
    session.want_znode("/a", "1")
    session.keep(script.stopping)
    assert [call[0] for call in script.calls] == [
        "open_session", "create", "heartbeat", "heartbeat", "create", "heartbeat", "create",
        "heartbeat", "close_session",
    ]


@pytest.mark.parametrize(
    "answers",
    [
        (("s1", "soon"),), (7,), (("s1", -1.0),), ((b"s1", 1.0),), (None,),
        (OPENED, None), (OPENED, (("/a", 1),)), (OPENED, 5), (OPENED, [("/a", "1")]),
    ],
)
def test_an_odd_answer_is_a_failed_round_and_no_more(answers: tuple) -> None:
    script = Script(*answers, OPENED if len(answers) == 1 else ())
    session = session_of(script)
    with Recorder() as log:
        session.keep(script.stopping)
    assert log.tracebacks == 0 and len(script.calls) == len(answers) + 2


def test_a_new_session_begins_from_nothing() -> None:
    script = Script(OPENED, None, SessionExpired(), ("s2", 10.0), None)
    session = session_of(script)
    session.want_znode("/a", "1")
    session.keep(script.stopping)
    assert script.calls == [
        ("open_session", "me"),
        ("create", "s1", "/a", "1"),
        ("heartbeat", "s1"),
        ("open_session", "me"),
        ("create", "s2", "/a", "1"),
        ("close_session", "s2"),
    ]


def test_a_refusal_is_asked_about_again_each_round() -> None:
    script = Script(OPENED, PathExists(), (), None)
    session = session_of(script)
    session.want_znode("/a", "1")
    session.keep(script.stopping)
    assert [call[0] for call in script.calls] == [
        "open_session", "create", "heartbeat", "create", "close_session"
    ]


def test_a_watch_tells_changes_only_and_asks_anew_after_a_failure() -> None:
    rows = (("/a/1", "x"),)
    script = Script((5, rows), (6, rows), Unavailable(), (6, rows), (7, ()))
    told = Told()
    watch = Watch("/a", told, [script])  # type: ignore[list-item]
    watch.keep(script, script.stopping, expiry_seconds=9.0)  # type: ignore[arg-type]
    assert [call[:3] for call in script.calls] == [
        ("watch", "/a", -1), ("watch", "/a", 5), ("watch", "/a", 6), ("watch", "/a", -1),
        ("watch", "/a", 6),
    ]
    assert told.news == [{"/a/1": "x"}, {}]


def test_a_busy_owner_hears_the_newest_of_all_zookeepers_and_nothing_in_between() -> None:
    links = [Script(), Script()]
    told: List[object] = []

    def busy(news: object) -> None:
        told.append(news)
        if len(told) == 1:
            # What comes meanwhile keeps none of those who bring it.
            for view in ({}, {"/a/1": "x"}, {"/a/1": "y"}):
                watch._note(links[1], view)  # type: ignore[arg-type]

    watch = Watch("/a", busy, links)  # type: ignore[arg-type]
    watch._note(links[0], {"/a/1": "x", "/a/2": "x"})  # type: ignore[arg-type]
    watch._note(links[0], None)  # type: ignore[arg-type]
    watch._note(links[1], None)  # type: ignore[arg-type]
    # Of two that disagree the first one's word counts, and half of them are enough.
    assert told == [{"/a/1": "x", "/a/2": "x"}, {"/a/1": "y"}, None]
