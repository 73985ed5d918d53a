"""The helper that runs daemons in tests: it must notice what goes wrong."""

import signal
import socket
import sys
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from tests.support.clusters.daemon import Daemon
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import wait_until

WAITS = "import signal, time\nprint('ready at once', flush=True)\n"
STOPS = WAITS + "signal.signal(signal.SIGTERM, lambda *_: exit(0))\nprint('armed', flush=True)\n"
FOREVER = "while True: time.sleep(60)\n"

Make = Callable[[str], Daemon]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Daemons that run the given Python text."""
    made: List[Daemon] = []

    def one(text: str) -> Daemon:
        command = [sys.executable, "-c", text]
        made.append(Daemon(f"d{len(made)}", command, tmp_path / f"{len(made)}.log", {}))
        return made[-1]

    yield one
    for daemon in made:
        daemon.kill_group()


def test_ready_is_a_line_that_the_process_prints(make: Make) -> None:
    daemon = make(WAITS + FOREVER)
    daemon.start()
    assert daemon.wait_ready() == "ready at once"
    assert daemon.running


def test_a_clean_stop_has_status_zero(make: Make) -> None:
    daemon = make(STOPS + FOREVER)
    daemon.start()
    daemon.wait_for_log("armed")
    assert daemon.terminate() == 0
    assert not daemon.running and not daemon.leaves_processes()


def test_a_kill_is_told_by_the_status(make: Make) -> None:
    daemon = make(WAITS + FOREVER)
    daemon.start()
    daemon.wait_ready()
    daemon.kill()
    assert daemon.wait() == -signal.SIGKILL


def test_a_paused_process_can_be_killed(make: Make) -> None:
    daemon = make(WAITS + FOREVER)
    daemon.start()
    daemon.wait_ready()
    daemon.pause()
    assert daemon.running
    daemon.kill()
    assert not daemon.running


def test_a_process_that_dies_early_shows_its_words(make: Make) -> None:
    daemon = make("import sys; sys.exit('no port')")
    daemon.start()
    with pytest.raises(AssertionError, match="ended before it printed 'ready'(.|\n)*no port"):
        daemon.wait_ready()


def test_a_silent_process_is_not_waited_for_for_ever(make: Make) -> None:
    daemon = make("import time\n" + FOREVER)
    daemon.start()
    with pytest.raises(AssertionError, match="was silent"):
        daemon.wait_ready(timeout=0.1)


def test_the_ready_line_of_an_earlier_life_does_not_count(make: Make, tmp_path: Path) -> None:
    flag = tmp_path / "second-life"
    daemon = make(f"import os\nif os.path.exists({str(flag)!r}): raise SystemExit(3)\n" + WAITS)
    daemon.start()
    daemon.wait_ready()
    daemon.wait()
    flag.touch()
    daemon.start()
    with pytest.raises(AssertionError, match="ended before"):
        daemon.wait_ready()
    assert daemon.tail().count("starts, pid") == 2


def test_a_process_that_is_left_behind_is_seen(make: Make) -> None:
    sleeper = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time\\n"
    daemon = make(sleeper + "time.sleep(600)'], stdout=subprocess.DEVNULL, stderr=-3)\n")
    daemon.start()
    daemon.wait()
    assert daemon.leaves_processes()
    daemon.kill_group()
    wait_until(lambda: not daemon.leaves_processes(), what="the end of the process group")


def test_waiting_ends_with_what_was_waited_for() -> None:
    answers = iter([0, None, "yes"])
    assert wait_until(lambda: next(answers)) == "yes"
    with pytest.raises(AssertionError, match="in vain for: rain; last value 0"):
        wait_until(lambda: 0, timeout=0.05, what="rain")


def test_a_reserved_port_is_only_for_who_names_it() -> None:
    ports = Ports()
    port = ports.take()
    assert ports.take() != port
    with socket.socket() as daemon:
        daemon.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        daemon.bind(("127.0.0.1", port))
        daemon.listen()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    ports.close()
