"""Ctrl+C, SIGTERM and SIGHUP: a command ends at once, and leaves nothing half done."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from data_service.shell import endings
from data_service.shell.endings import Terminated, heeding_signals
from data_service.shell.transfer.workers import Workers
from tests.support.terminal.shell import Shell, run_in_process
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until

SIGNALS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line, with the files /d/a and /d/b."""
    with Shell(monkeypatch, tmp_path) as made:
        made.filesystem.write("/d/a", b"a\n")
        made.filesystem.write("/d/b", b"b\n")
        yield made


def send(number: int) -> None:
    """A signal to this process, which must have an answer to it."""
    assert signal.getsignal(number) != signal.SIG_DFL
    os.kill(os.getpid(), number)


def signalling(true: Callable[..., Any], number: int) -> Callable[..., Any]:
    """The method, in the middle of which a signal comes."""

    def method(*arguments: Any, **named: Any) -> Any:
        send(number)
        return true(*arguments, **named)

    return method


@pytest.mark.parametrize("number, status", SIGNALS)
@pytest.mark.parametrize(
    "method, words",
    [("cat", ["getmerge", "/d", "out"]), ("cat", ["cat", "/d/a"]), ("list", ["ls", "/d"]),
     ("put_stream", ["put", "-", "/x"])],
)  # fmt: skip
def test_a_signal_ends_a_command(
    shell: Shell, number: int, status: int, method: str, words: List[str]
) -> None:
    before = shell.filesystem.tree()
    true = getattr(shell.filesystem, method)
    setattr(shell.filesystem, method, signalling(true, number))
    result = shell.run(*words, stdin=b"bytes")
    assert (result.status, result.out, len(result.err.splitlines())) == (status, "", 1)
    assert os.listdir(shell.folder) == [] and shell.filesystem.tree() == before
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number, status", SIGNALS[:2])
def test_a_signal_ends_the_prompt_too(shell: Shell, number: int, status: int) -> None:
    shell.filesystem.mkdir = signalling(shell.filesystem.mkdir, number)  # type: ignore
    result = run_in_process([], b"mkdir /a\nmkdir /b\n")
    assert result.status == status and "/b" not in shell.filesystem.tree()


def test_under_nohup_a_hangup_stays_ignored() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heeding_signals():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_the_second_signal_does_not_disturb_the_tidying_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(endings.time, "monotonic", lambda: now[0])
    tidied = []
    with pytest.raises(Terminated), heeding_signals():
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            send(signal.SIGHUP)
            tidied.append(True)
            now[0] += endings.GRACE_SECONDS
            with pytest.raises(Terminated):
                send(signal.SIGTERM)
    assert tidied


def test_another_thread_asks_for_no_signals() -> None:
    seen: List[Any] = []

    def enter() -> None:
        with heeding_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


@pytest.mark.parametrize("number, status", SIGNALS)
def test_files_that_are_copied_at_once_stop_at_once(
    shell: Shell, number: int, status: int
) -> None:
    """Each transfer goes on for ever, as long as its progress raises nothing."""
    for name in ("x", "y", "z"):
        shell.local(name, b"bytes")
    ended: List[str] = []
    begun = threading.Semaphore(0)

    def put(local_path: str, path: str, **named: Any) -> None:
        try:
            begun.release()
            while True:
                named["progress"](1, 0)
        finally:
            ended.append(local_path)

    def interrupt() -> None:
        begun.acquire()
        begun.acquire()
        send(number)

    shell.filesystem.put = put  # type: ignore[method-assign, assignment]
    shell.filesystem.mkdir("/to")
    threading.Thread(target=interrupt, daemon=True).start()
    result = shell.run("put", "-t", "2", "x", "y", "z", "/to")
    assert (result.status, len(ended)) == (status, 2)
    assert len(result.err.splitlines()) == 1


def test_a_deed_that_hears_nothing_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[Workers.__module__], "STOP_SECONDS", 0.01)
    never = threading.Event()
    with pytest.raises(KeyError), Workers(2) as workers:
        workers.do(never.wait)
        raise KeyError
    never.set()


def test_deeds_that_wait_for_one_that_hears_nothing_keep_nobody_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules[Workers.__module__]
    monkeypatch.setattr(module, "STOP_SECONDS", 0.01)
    monkeypatch.setattr(module, "QUEUE_MAX", 2)
    never, begun = threading.Event(), threading.Event()

    def hear_nothing() -> None:
        begun.set()
        never.wait()

    def give_up() -> None:
        with pytest.raises(KeyError), Workers(1) as workers:
            workers.do(hear_nothing)
            assert begun.wait(PATIENCE_SECONDS)
            for _ in range(2):
                workers.do(never.wait)
            raise KeyError

    caller = threading.Thread(target=give_up, daemon=True)
    caller.start()
    caller.join(PATIENCE_SECONDS)
    assert not caller.is_alive()
    never.set()


def test_the_failure_of_a_deed_ends_all() -> None:
    done: List[int] = []

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Workers(1) as workers:
        workers.do(fail)
        for number in range(5000):
            workers.do(lambda: done.append(number))
    assert done == []


def test_all_deeds_are_done() -> None:
    done: List[int] = []
    with Workers(3) as workers:
        for number in range(3000):
            workers.do(lambda number=number: done.append(number))
    assert sorted(done) == list(range(3000))
    names = {f"copy_{number}" for number in range(3)}
    wait_until(lambda: not names & {thread.name for thread in threading.enumerate()})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_ends_no_read_is_heard(number: int) -> None:
    """It comes to another thread, so that the wait of the main one goes on."""
    near, far = os.pipe()
    helper_waits = threading.Event()
    ending = threading.Event()

    def help_out() -> None:
        helper_waits.set()
        ending.wait()

    helper = threading.Thread(target=help_out)
    helper.start()
    helper_waits.wait()
    assert helper.ident is not None
    try:
        with pytest.raises(KeyboardInterrupt), heeding_signals():
            timer = threading.Timer(0.2, signal.pthread_kill, (helper.ident, number))
            timer.start()
            endings.wait_for(near)
    finally:
        ending.set()
        helper.join()
        os.close(near)
        os.close(far)


def test_input_is_not_waited_for_when_it_is_there() -> None:
    near, far = os.pipe()
    os.close(far)
    with heeding_signals():
        endings.wait_for(near)
    endings.wait_for(near)
    os.close(near)
