"""The repository as somebody has it who just fetched it, and the terminal in which he types.

The copy has free ports in its config.ini, and an environment that was made without a network: so
every command that a person would type works as it stands, and disturbs nobody.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Dict, List, NamedTuple

from tests.support.clusters.ports import Ports

ROOT = Path(__file__).resolve().parents[3]

_FOLDERS = ("zookeeper", "metadata_service", "data_service", "scripts", "tests")
_FILES = ("config.ini", "README.md", "pyproject.toml", ".gitignore")
_STAMP = (
    "import sys; sys.path[0] = '.'; from scripts import environment as e; print({what}, end='')"
)


class Answer(NamedTuple):
    """What a command did: its exit status, and all that it wrote."""

    status: int
    output: str


class FreshCopy:
    """A copy of the repository in `folder`; its cluster is stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = Ports()
        without = shutil.ignore_patterns("__pycache__")
        for name in _FOLDERS:
            shutil.copytree(ROOT / name, folder / name, ignore=without)
        for name in _FILES:
            shutil.copy(ROOT / name, folder / name)
        self._choose_ports()
        self._make_environment()

    def environment(self) -> Dict[str, str]:
        """The variables of a person who has set none."""
        mine = ("PYTHON", "PYHDFS", "HADOOP", "VIRTUAL_ENV")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(mine)}
        return {**kept, "HOME": str(self.folder / ".home"), "LC_ALL": "C.UTF-8"}

    def close(self) -> None:
        """Stop what runs."""
        words = [str(self.folder / ".venv" / "bin" / "python"), "scripts/cluster.py", "stop"]
        done = subprocess.run(words, cwd=self.folder, env=self.environment(), timeout=120)
        self._ports.close()
        assert done.returncode == 0

    def _choose_ports(self) -> None:
        config = self.folder / "config.ini"
        text = config.read_text("utf-8")
        for port in sorted(set(re.findall(r"localhost:(\d+)", text)), key=len, reverse=True):
            mine = rf"\g<1>{self._ports.take()}"
            text = re.sub(rf"(localhost:|dir_|data_node_){port}\b", mine, text)
        config.write_text(text, "utf-8")

    def _make_environment(self) -> None:
        """What `scripts/environment.py` would install, from what this test runs with."""
        place = self.folder / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
        packages = next(place.glob("lib/python*/site-packages"))
        paths = [str(self.folder)] + [path for path in sys.path if path.endswith("-packages")]
        (packages / "fresh.pth").write_text("\n".join(paths) + "\n", "utf-8")
        command = place / "bin" / "pyhdfs"
        command.write_text(
            f"#!{place}/bin/python\nimport sys\n"
            "from data_service.client import main\nsys.exit(main())\n", "utf-8"
        )  # fmt: skip
        command.chmod(0o755)
        for name, what in (("base", "e.base()"), ("installed-project", "e.project()")):
            words = [os.path.realpath(sys.executable), "-c", _STAMP.format(what=what)]
            done = subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, check=True)
            (place / name).write_bytes(done.stdout)


class Terminal:
    """One shell, in which commands are typed one after the other."""

    _MARK = "the shell is ready again:"

    def __init__(self, copy: FreshCopy, seconds_max: float) -> None:
        """Everything typed together may take `seconds_max`; then the shell is ended."""
        (copy.folder / ".home").mkdir()
        self._shell = subprocess.Popen(
            ["sh"],
            cwd=copy.folder,
            env=copy.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self._alarm = threading.Timer(seconds_max, self._end)
        self._alarm.start()

    def type(self, command: str) -> Answer:
        """Run one command to its end; it reads nothing."""
        assert self._shell.stdin is not None and self._shell.stdout is not None
        ready = f"printf '\\n%s %d\\n' '{self._MARK}' $?"
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null\n{ready}\n")
        self._shell.stdin.flush()
        lines: List[str] = []
        for line in self._shell.stdout:
            if line.startswith(self._MARK):
                return Answer(int(line.split()[-1]), "".join(lines))
            lines.append(line)
        raise AssertionError(f"$ {command}\nended the shell, or took too long\n{''.join(lines)}")

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._alarm.cancel()
        self._end()
        self._shell.communicate()

    def _end(self) -> None:
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGKILL)
