"""Make the project's virtual environment, or find that it is there already.

    python3 scripts/environment.py [EXTRA]

Installs the project, editable, with its dependencies (and those of EXTRA, such as `test`) into
`.venv` in the repository, and prints the path of the Python in there. What was installed is
written down, so that the next start finds everything in place and needs no network.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
PYTHON = FOLDER / "bin" / "python"

BEFORE = ROOT / ".venv-before"
"""Where an environment waits while its successor is made."""

PIP = (21, 3)
"""Older ones cannot install a project editable that has only a pyproject.toml."""

PATIENCE = ("--retries", "1", "--timeout", "10")
"""Without a network pip would try for most of a minute before it says so."""

OFFLINE = (
    "what stands above says why. It needs a network, once, or an index of packages that pip is "
    "told of (pip config set global.index-url …)"
)


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
    """Make the environment and install; RuntimeError says what went wrong.

    An environment of another Python makes room only when the new one is whole: without a network
    there would be none at all.
    """
    if _text(FOLDER / "base") == base() and PYTHON.exists():
        _install(extra)
        return
    with _old_one_aside():
        say(f"making {FOLDER} with Python {sys.version.split()[0]}")
        venv = [sys.executable, "-m", "venv", "--clear", str(FOLDER)]
        _run(venv, "cannot make a virtual environment (on Debian: apt install python3-venv)")
        (FOLDER / "base").write_text(base(), "utf-8")
        _install(extra)


@contextmanager
def _old_one_aside() -> Iterator[None]:
    """Put an environment that is there aside, and back when it cannot be replaced."""
    if BEFORE.exists() and not FOLDER.exists():
        # Whoever was here before was killed.
        os.replace(BEFORE, FOLDER)
    shutil.rmtree(BEFORE, ignore_errors=True)
    if FOLDER.exists():
        os.replace(FOLDER, BEFORE)
    try:
        yield
    except BaseException:
        if BEFORE.exists():
            shutil.rmtree(FOLDER, ignore_errors=True)
            os.replace(BEFORE, FOLDER)
            say(f"the environment that was there before stays: {_text(FOLDER / 'base')}")
        raise
    shutil.rmtree(BEFORE, ignore_errors=True)


def _install(extra: str) -> None:
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PATIENCE]
    say("installing the project and what it needs, from the Python Package Index")
    if not _is_pip_new_enough():
        _run(pip + [f"pip>={'.'.join(map(str, PIP))}"], f"cannot install pip: {OFFLINE}")
    _run(pip + ["--editable", target], f"cannot install the project: {OFFLINE}")
    _stamp(extra).write_text(project(), "utf-8")


def _is_pip_new_enough() -> bool:
    done = subprocess.run(
        [str(PYTHON), "-m", "pip", "--version"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    numbers = done.stdout.split()[1].split(".")[:2] if done.returncode == 0 else []
    return tuple(int(number) for number in numbers if number.isdecimal()) >= PIP


def say(text: str) -> None:
    """A word to whoever waits; standard output is for the answer."""
    print(text, file=sys.stderr, flush=True)


def main(argv: List[str]) -> int:
    """The exit status: 0 when the environment is ready, 2 for a wrong command line."""
    if argv[:1] in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    if len(argv) > 1 or any(word.startswith("-") for word in argv):
        say("usage: environment.py [EXTRA]")
        return 2
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
