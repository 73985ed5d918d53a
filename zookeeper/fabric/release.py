"""Which release this is, and what it says when what it needs is not installed."""

import os
import sys

VERSION = "0.1.0"

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
_PROGRAMS = (
    "zk.py", "metadata.py", "name_node.py", "data_node.py", "client.py", "web_gateway.py",
)  # fmt: skip


def release() -> str:
    """The release and the Python that runs it, for a person who reports a fault."""
    return f"PyHDFS {VERSION}, Python {sys.version.split()[0]}"


def without_rpyc() -> BaseException:
    """What to raise where RPyC cannot be imported.

    The commonest slip of a newcomer is a forgotten `activate`: our own programs end with a
    sentence then. A program of somebody else gets an exception that it can catch. The scripts end
    with status 2, because a trial's 1 says that it found something.
    """
    sentence = (
        f"RPyC is not installed for {sys.executable}: run `. {_ROOT}/.venv/bin/activate` first "
        "(./scripts/quickstart makes it), or `pip install .`"
    )
    program = os.path.realpath(sys.argv[0] if sys.argv else "")
    if program.startswith(os.path.join(_ROOT, "scripts", "")):
        sys.stderr.write(f"{sentence}\n")
        return SystemExit(2)
    own = os.path.basename(program) in _PROGRAMS and program.startswith(_ROOT + os.sep)
    return SystemExit(sentence) if own else ModuleNotFoundError(sentence, name="rpyc")
