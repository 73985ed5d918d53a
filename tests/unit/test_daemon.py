"""The life of a daemon: arguments, the ready line, signals, failures."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Iterator, List, Optional

import pytest

from tests.support.clusters.cluster import ROOT
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric import daemon
from zookeeper.fabric.auth import SECRET, SIMPLE
from zookeeper.fabric.config_file import Address
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import SecuritySettings, Settings

HEAD = """
import os, signal, sys, threading, time
sys.path[0] = {root!r}
from zookeeper.fabric import daemon
from zookeeper.fabric.errors import StartRefused

class Test(daemon.Daemon):
    ready = "127.0.0.1:1 well"
    loud = True

    def start(self):
        pass

    def stop(self):
        sys.stderr.write("stop was called\\n")
"""

TAIL = """
def build(settings, arguments):
    assert settings.security.mode == "simple"
    return Test()

status = daemon.run("tester", "A daemon for tests.", ["--config", {config!r}], build)
if Test.loud:
    print("status", status, flush=True)
sys.exit(status)
"""


class Process:
    """A process that runs a daemon of a few lines."""

    def __init__(self, folder: Path, body: str, stdout: Optional[int] = None) -> None:
        config = folder / "config.ini"
        config.write_text("[security]\nmode = simple\n")
        text = HEAD + textwrap.indent(textwrap.dedent(body), "    ") + TAIL
        script = folder / "script.py"
        script.write_text(text.format(root=str(ROOT), config=str(config)))
        self._errors = folder / "stderr"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(script)],
                stdout=subprocess.PIPE if stdout is None else stdout,
                stderr=errors,
            )

    def line(self) -> str:
        """The next line of standard output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; the exit status."""
        status = self._process.wait(PATIENCE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text()

    def kill(self) -> None:
        """At the end of a test that failed."""
        if self._process.poll() is None:
            self._process.kill()
        self.end()


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """What runs a daemon in this process configures its logs; later tests want them as before."""
    logger = logging.getLogger("pyhdfs")
    before = logger.level, logger.propagate, logger.handlers[:], logging.raiseExceptions
    yield
    logger.level, logger.propagate, logger.handlers[:] = before[:3]
    logging.raiseExceptions = before[3]


@pytest.fixture
def processes() -> Iterator[List[Process]]:
    """Those that must not outlive the test."""
    made: List[Process] = []
    yield made
    for process in made:
        process.kill()


def run(
    processes: List[Process], folder: Path, body: str = "", stdout: Optional[int] = None
) -> Process:
    """A running daemon."""
    processes.append(Process(folder, body, stdout))
    return processes[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_daemon_says_that_it_is_ready_and_stops_cleanly(
    processes: List[Process], tmp_path: Path, number: int
) -> None:
    process = run(processes, tmp_path)
    assert process.line() == "ready tester 127.0.0.1:1 well\n"
    wait_until(lambda: "daemon.ready role=tester pid=" in process.errors(), what="the log's word")
    process.send(number)
    assert process.line() == "status 0\n"
    assert process.end() == 0
    words = process.errors()
    assert "stop was called" in words
    assert "Traceback" not in words
    # A log begins with who this is.
    start = words.splitlines()[0]
    for part in ("daemon.starting role=tester pid=", " version=", " python=3.", "/config.ini"):
        assert part in start
    assert "daemon.stopping role=tester" in words


def test_a_daemon_under_nohup_outlives_its_terminal(
    processes: List[Process], tmp_path: Path
) -> None:
    process = run(processes, tmp_path, """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        def start(self):
            os.kill(os.getpid(), signal.SIGHUP)
    """)  # fmt: skip
    assert process.line() == "ready tester 127.0.0.1:1 well\n"
    process.send(signal.SIGTERM)
    assert process.line() == "status 0\n"
    assert process.end() == 0


def test_a_start_that_is_refused_is_one_line(processes: List[Process], tmp_path: Path) -> None:
    process = run(processes, tmp_path, """
        def start(self):
            raise StartRefused("the directory is locked")
    """)  # fmt: skip
    assert process.line() == "status 1\n"
    assert process.end() == 1
    assert "tester: the directory is locked\n" in process.errors()
    # Nothing was begun: so nothing stops.
    assert "daemon.stopping" not in process.errors()
    assert "stop was called" in process.errors()
    assert "Traceback" not in process.errors()


def test_a_defect_at_the_start_does_not_leave_a_process_that_does_nothing(
    processes: List[Process], tmp_path: Path
) -> None:
    process = run(processes, tmp_path, """
        def start(self):
            raise ValueError("a defect")
    """)  # fmt: skip
    assert process.line() == "status 1\n"
    assert process.end() == 1
    assert "tester: cannot start: ValueError: a defect\n" in process.errors()
    assert "Traceback" in process.errors()


def test_a_daemon_stops_while_it_is_starting(processes: List[Process], tmp_path: Path) -> None:
    process = run(processes, tmp_path, """
        def start(self):
            print("starting", flush=True)
            threading.Event().wait()
    """)  # fmt: skip
    assert process.line() == "starting\n"
    process.send(signal.SIGTERM)
    assert process.line() == "status 0\n"
    assert process.end() == 0


def test_a_start_that_fails_because_of_the_stop_is_no_failure(
    processes: List[Process], tmp_path: Path
) -> None:
    process = run(processes, tmp_path, """
        stopped = threading.Event()
        def start(self):
            print("starting", flush=True)
            self.stopped.wait()
            raise StartRefused("because of the stop")
        def stop(self):
            self.stopped.set()
    """)  # fmt: skip
    assert process.line() == "starting\n"
    process.send(signal.SIGTERM)
    assert process.line() == "status 0\n"
    assert process.end() == 0


def test_who_is_stopped_before_it_served_was_never_ready(
    processes: List[Process], tmp_path: Path
) -> None:
    process = run(processes, tmp_path, """
        stopped = threading.Event()
        def start(self):
            self.starter = threading.current_thread()
            print("starting", flush=True)
            self.stopped.wait()
        def stop(self):
            self.stopped.set()
            self.starter.join()
    """)  # fmt: skip
    assert process.line() == "starting\n"
    process.send(signal.SIGTERM)
    assert process.line() == "status 0\n"
    assert process.end() == 0
    assert "daemon.ready" not in process.errors()


def test_a_second_signal_ends_a_daemon_whose_stop_hangs(
    processes: List[Process], tmp_path: Path
) -> None:
    process = run(processes, tmp_path, """
        def stop(self):
            print("stopping", flush=True)
            threading.Event().wait()
    """)  # fmt: skip
    process.line()
    process.send(signal.SIGTERM)
    assert process.line() == "stopping\n"
    process.send(signal.SIGTERM)
    assert process.end() == -signal.SIGTERM


def test_signals_that_come_in_a_burst_do_not_hang(processes: List[Process], tmp_path: Path) -> None:
    process = run(processes, tmp_path, """
        def start(self):
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGINT)
    """)  # fmt: skip
    # Which of them comes first, and whether a second one of its kind finds the process alive, is
    # the operating system's choice; that the process ends is ours.
    assert process.end() in (0, -signal.SIGTERM, -signal.SIGINT)


@pytest.mark.parametrize("closed", ["by its reader", "from the start"])
def test_nobody_has_to_read_the_ready_line(
    processes: List[Process], tmp_path: Path, closed: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    body = "loud = False"
    if closed == "from the start":
        body += "\nos.close(1)\nsys.stdout = None"
    process = run(processes, tmp_path, body, stdout=writer)
    os.close(writer)
    wait_until(lambda: "daemon.ready" in process.errors(), what="a ready daemon")
    process.send(signal.SIGTERM)
    assert process.end() == 0
    assert "Error" not in process.errors()


@pytest.mark.parametrize(
    "text, expected",
    [("[nonsense]\n", "config.ini:1"), ("[network]\nbind_host = a b\n", "config.ini:2")],
)
def test_a_wrong_configuration_is_status_2(
    tmp_path: Path, text: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.ini"
    config.write_text(text)

    def build(*_: object) -> daemon.Daemon:
        pytest.fail("built with a wrong configuration")

    assert daemon.run("tester", "", ["--config", str(config)], build) == 2
    error = capsys.readouterr().err
    assert expected in error.splitlines()[-1]
    assert "Traceback" not in error


def test_a_wrong_command_line_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--nonsense"], ["--log-level", "LOUD"], ["extra"]):
        with pytest.raises(SystemExit) as caught:
            daemon.run("tester", "", arguments, lambda *_: daemon.Daemon())
        assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_tells_of_a_daemons_own_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("index", help="which one to be")

    with pytest.raises(SystemExit) as caught:
        daemon.run("tester", "A daemon for tests.", ["--help"], lambda *_: daemon.Daemon(), add)
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "A daemon for tests." in shown and "which one to be" in shown


def test_a_daemon_has_to_say_how_it_starts_and_stops() -> None:
    for method in (daemon.Daemon().start, daemon.Daemon().stop):
        with pytest.raises(NotImplementedError):
            method()


def test_a_key_is_read_in_mode_secret_only(tmp_path: Path) -> None:
    somebody, key = Principal("x"), tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    secret = Settings(security=SecuritySettings(mode=SECRET, key_file=str(key)))
    assert credentials_of(secret, somebody).mode == SECRET
    key.chmod(0o640)
    with pytest.raises(SettingsError):
        credentials_of(secret, somebody)
    simple = Settings(security=SecuritySettings(mode=SIMPLE, key_file=str(key)))
    assert credentials_of(simple, somebody).mode == SIMPLE


def test_who_is_named_by_index_stands_in_the_settings() -> None:
    hosts = [Address("a", 1), Address("b", 2)]
    assert daemon.address_at(hosts, 1, "web_hosts") == hosts[1]
    with pytest.raises(SettingsError, match="index 2, expected one of web_hosts: 0 = a:1, 1 = b:2"):
        daemon.address_at(hosts, 2, "web_hosts")
    with pytest.raises(SettingsError, match="nothing in web_hosts, expected HOST:PORT"):
        daemon.address_at([], 0, "web_hosts")
