"""Make the project's virtual environment, or find that it is there already.

    python3 scripts/environment.py [EXTRA]

Installs the project, editable, with its dependencies (and those of EXTRA, such as `test`) into
`.venv` in the repository, and prints the path of the Python in there. What was installed is
written down, so that the next start finds everything in place and needs no network.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
PYTHON = FOLDER / "bin" / "python"

# Older ones cannot install a project editable that has only a pyproject.toml.
PIP = "pip>=21.3"


def base() -> str:
    """The Python that the environment is made of, and its place, as one line."""
    return f"{sys.version.split()[0]} {os.path.realpath(sys.executable)} {ROOT}"


def project() -> str:
    """What an installation depends on, as one line."""
    return f"{base()} {hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}"


def is_ready(extra: str) -> bool:
    """Whether the environment was made from exactly what is here now."""
    # What has an extra has the project too.
    stamps = [_stamp(extra)] if extra else FOLDER.glob("installed-*")
    return PYTHON.exists() and any(_text(stamp) == project() for stamp in stamps)


def make(extra: str) -> None:
    """Make the environment and install; RuntimeError says what went wrong."""
    if _text(FOLDER / "base") != base() or not PYTHON.exists():
        say(f"making {FOLDER} with Python {sys.version.split()[0]}")
        venv = [sys.executable, "-m", "venv", "--clear", str(FOLDER)]
        _run(venv, "cannot make a virtual environment (on Debian: apt install python3-venv)")
        (FOLDER / "base").write_text(base(), "utf-8")
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    say("installing the project and what it needs")
    _run(pip + [PIP], "cannot install pip (is there a network?)")
    _run(pip + ["--editable", target], "cannot install the project (is there a network?)")
    _stamp(extra).write_text(project(), "utf-8")


def say(text: str) -> None:
    """A word to whoever waits; standard output is for the answer."""
    print(text, file=sys.stderr, flush=True)


def main(argv: List[str]) -> int:
    """The exit status: 0 when the environment is ready."""
    extra = argv[0] if argv else ""
    # Two who start at once would pull each other's files away; the lock ends with the process.
    fcntl.flock(os.open(ROOT, os.O_RDONLY), fcntl.LOCK_EX)
    try:
        if not is_ready(extra):
            make(extra)
    except RuntimeError as error:
        say(f"environment: {error}")
        return 1
    print(PYTHON)
    return 0


def _stamp(extra: str) -> Path:
    return FOLDER / f"installed-{extra or 'project'}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _run(command: List[str], failure: str) -> None:
    done = subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(failure)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
