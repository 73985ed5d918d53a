"""The log file of a daemon in the background: renewed when full, borne when others touch it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clusters.cluster import ROOT

SCRIPT = """
import os, sys
sys.path[0] = {root!r}
from zookeeper.fabric import logs
from zookeeper.fabric.log_file import STANDARD, LogFile
path = {path!r}
logs.configure("INFO", LogFile(path, 300, 2, STANDARD))
log = logs.get("test")
print("said on standard output", flush=True)
{body}
"""


def run(path: Path, body: str) -> "subprocess.CompletedProcess[str]":
    """A process that logs to `path`: its standard output and error become the file."""
    script = SCRIPT.format(root=str(ROOT), path=str(path), body=body)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", timeout=60
    )


def words(path: Path) -> str:
    """All that is in a log."""
    return path.read_text("utf-8")


def test_everything_that_a_process_says_is_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    done = run(path, "log.info('block.lost', block=7)\nraise ValueError('the last words')")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    for part in ("said on standard output", "block.lost block=7", "the last words"):
        assert part in words(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_log_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    run(path, "for n in range(40): log.info(f'event.{n}', filler='x' * 60)")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]
    assert "event.39" in words(path)
    # Every line is whole, and the three files follow each other.
    lines = "".join(words(tmp_path / name) for name in ("x.log.2", "x.log.1", "x.log"))
    numbers = [int(line.split("event.")[1].split()[0]) for line in lines.splitlines()]
    assert numbers == list(range(numbers[0], 40))


def test_a_log_that_was_renamed_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    body = "log.info('before')\nos.rename(path, path + '.old')\nlog.info('behind')"
    run(path, body)
    assert "before" in words(tmp_path / "x.log.old") and "before" not in words(path)
    assert "behind" in words(path)


def test_a_log_that_was_truncated_has_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    run(path, "log.info('before')\nos.truncate(path, 0)\nlog.info('behind')")
    assert "\0" not in words(path)
    assert "behind" in words(path) and "before" not in words(path)


def test_a_log_that_cannot_be_renewed_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    # Folders stand where the full log should go.
    for number in (1, 2):
        (tmp_path / f"x.log.{number}" / "in the way").mkdir(parents=True)
    run(path, "for n in range(20): log.info(f'event.{n}')")
    assert "event.0" in words(path) and "event.19" in words(path)


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    done = run(tmp_path / "missing" / "x.log", "pass")
    assert "StartRefused: cannot write the log" in done.stderr
    assert "No such file or directory" in done.stderr


@pytest.mark.parametrize("argument", ["--version"])
def test_a_daemon_tells_its_release(argument: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "zookeeper" / "zk.py"), argument],
        capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.startswith("PyHDFS ")
