"""Run the daemons of config.ini that belong on this machine, in the background.

    python3 scripts/cluster.py start | stop | restart | status [ROLE…]
    python3 scripts/cluster.py logs [-f] [-n LINES] [ROLE…]
    python3 scripts/cluster.py calls [ROLE…]
    python3 scripts/cluster.py secure
        [--config FILE] [--data-nodes N] [--this-host HOST]

A role is a kind of daemon (`data_node`), or one daemon (`data_node_1`, also `data_node 1`); without
a role, all are meant. Each daemon has a log and a record of its process in one folder, `run/<name
of the config file>` next to the data.

`start` returns when the cluster can be used, or lacks only datanodes that it was not to start: then
it says so. `restart` of several of a kind restarts one after the other, so that the cluster goes
on; without a role, all are stopped first. `secure` sets mode `secret` in a config.ini that names no
mode; the first start of a cluster whose daemons are all on this machine makes its key.
Exit statuses: 0 all is well; 1 something does not run as it should, which is said, and the rest
goes on; 2 a wrong command line or config.ini.
"""

import argparse
import getpass
import importlib.util
import io
import os
import sys
from pathlib import Path
from typing import List, Optional, Sequence

ROOT = Path(__file__).resolve().parent.parent

if not __package__:
    sys.path[0] = str(ROOT)

from scripts.supervision.daemons import (  # noqa: E402
    Daemon,
    Failure,
    Site,
    by_kind,
    choose,
    configured,
    of_unreadable,
    say,
)
from scripts.supervision.log_ends import follow, tail  # noqa: E402
from scripts.supervision.restarting import restart, restart_in_turn  # noqa: E402
from scripts.supervision.securing import choose_secret, make_key  # noqa: E402
from scripts.supervision.starting import begin, wait  # noqa: E402
from scripts.supervision.stopping import stop  # noqa: E402
from scripts.supervision.turn import turn  # noqa: E402
from zookeeper.fabric import key_file  # noqa: E402
from zookeeper.fabric.auth import SECRET  # noqa: E402
from zookeeper.fabric.credentials import place  # noqa: E402
from zookeeper.fabric.errors import DfsError, SettingsError  # noqa: E402
from zookeeper.fabric.identity import METADATA, NAME_NODE  # noqa: E402
from zookeeper.fabric.settings import (  # noqa: E402
    ENVIRONMENT_VARIABLE,
    Settings,
    load,
)

TAIL_LINES = 20
INTERRUPTED = 130
"""The exit status of a process that Ctrl-C ended, as shells have it."""


def status(site: Site, chosen: Sequence[Daemon]) -> int:
    """One line a daemon; the exit status: 0 when all run."""
    down = 0
    for daemon in chosen:
        record = daemon.record()
        listener = None if record else site.listener(daemon)
        if record and daemon in site.left:
            state = f"running pid {record.pid}, not in config.ini any more: stop ends it"
        elif record:
            state = f"{'running' if record.ready else 'starting'} pid {record.pid}"
            state += f", {daemon.page}" if daemon.page else ""
        elif listener and daemon.kind.is_run_by(listener.command):
            state = f"running pid {listener.pid}, not started by cluster.py"
        else:
            down += 1
            state = f"down; another process has its address: {listener}" if listener else "down"
        print(f"{daemon.role:<14} {daemon.address:<24} {state}")
    return 1 if down else 0


def logs(chosen: Sequence[Daemon], lines: int, following: bool) -> int:
    """The end of the daemons' logs, and with `following` what is written from now on."""
    print("\n\n".join(tail(daemon.log_path, lines) for daemon in chosen), flush=True)
    if following:
        for line in follow([daemon.log_path for daemon in chosen]):
            print(line, flush=True)
    return 0


def calls(site: Site, chosen: Sequence[Daemon]) -> int:
    """How often each call was made of the daemons, and how long it took; 1 when one is silent."""
    silent = 0
    # RPyC is loaded for this one action, where it may be missing.
    from scripts.supervision.call_table import metrics_of, table
    from zookeeper.fabric.config_file import parse_address
    from zookeeper.fabric.handshake import credentials_of
    from zookeeper.fabric.identity import GATEWAY, USER, Principal

    credentials = credentials_of(site.settings, Principal(USER, getpass.getuser()))
    # A gateway makes calls and answers none.
    for daemon in (one for one in chosen if one.kind.name != GATEWAY):
        print(f"{daemon.role} {daemon.address}")
        try:
            address = parse_address(daemon.address)
            metrics = metrics_of(daemon.kind.name, address, credentials, site.settings)
        except DfsError as error:
            silent += 1
            print(f"  {error.message}")
        else:
            print("\n".join("  " + line for line in table(metrics)))
    return 1 if silent else 0


def secure(site: Site) -> int:
    """Set mode `secret`, unless somebody chose a mode; 1 when a daemon of another mode runs."""
    running = [daemon.role for daemon in site.daemons + site.left if daemon.record()]
    path = site.settings.path
    if not path:
        raise Failure("there is no config.ini to write into: name one by --config")
    if running:
        raise Failure(f"{', '.join(running)} runs, in the mode that {path} has: stop it first")
    if choose_secret(path):
        print(f"{path}: mode is now secret, with a key for this cluster")
    return 0


def have_key(site: Site) -> None:
    """Make the cluster's key if there is none yet, and raise SettingsError if it is not right."""
    path = site.settings.security.key_file
    # Elsewhere there may be one already, and this machine is to get a copy, or its own.
    alone = len(site.daemons) == len(configured(site.settings))
    if path and alone and not os.path.exists(path) and make_key(path):
        print(f"{path}: made the key of this cluster; who has it may do everything")
    key_file.read(place(site.settings))  # Said once, before each daemon would say it.


def change(site: Site, chosen: Sequence[Daemon], arguments: argparse.Namespace) -> int:
    """Start, stop or restart."""
    if arguments.action != "stop" and site.settings.security.mode == SECRET:
        have_key(site)
    if arguments.action == "restart":
        several = any(len(daemons) > 1 for daemons in by_kind(chosen))
        in_turn = restart_in_turn if arguments.role and several else restart
        return in_turn(site, arguments.this_host, chosen)
    with turn(site.folder):
        # What others did meanwhile counts: records are read again.
        site = Site(site.settings, arguments.this_host)
        chosen = choose(site, arguments.role, arguments.data_nodes)
        if arguments.action == "stop":
            if arguments.role:
                tell_several(chosen)
            return stop(site, chosen)
        begun = begin(site, chosen)
    # Others may repair now what this one waits for.
    return wait(begun)


def tell_several(chosen: Sequence[Daemon]) -> None:
    """Say that more than one of a kind is going to end, which is not what everybody means."""
    for daemons in by_kind([daemon for daemon in chosen if daemon.record()]):
        if len(daemons) > 1:
            say(f"this ends {', '.join(daemon.role for daemon in daemons)}: to end one of them, "
                f"say its own name{_WITHOUT.get(daemons[0].kind.name, '')}")


_WITHOUT = {
    METADATA: "; without most of them nothing can be read or changed",
    NAME_NODE: "; without any nothing can be read or changed",
}
"""What several of a kind are needed for, if people's files wait for it."""


def act(arguments: argparse.Namespace) -> int:
    """Do what the command line says; the exit status."""
    site = Site(settings_for(arguments), arguments.this_host)
    chosen = choose(site, arguments.role, arguments.data_nodes)
    if arguments.action == "status":
        return status(site, chosen)
    if arguments.action == "logs":
        return logs(chosen, arguments.lines, arguments.follow)
    if arguments.action == "calls":
        return calls(site, chosen)
    if arguments.action == "secure":
        return secure(site)
    return change(site, chosen, arguments)


def settings_for(arguments: argparse.Namespace) -> Settings:
    """Those of config.ini. Raises SettingsError.

    Who has spoilt the file must still be able to see, and stop, what runs of it.
    """
    try:
        return load(arguments.config)
    except SettingsError as error:
        path = arguments.config or os.environ.get(ENVIRONMENT_VARIABLE)
        spoilt = of_unreadable(os.path.abspath(path or ROOT / "config.ini"))
        if arguments.action not in ("status", "stop", "logs") or not Site(spoilt).left:
            raise
        say(f"{error.message}\nThis is about what runs of that file:")
        return spoilt


def count(text: str) -> int:
    """A number on the command line; ValueError becomes argparse's own sentence."""
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        description="Run the daemons of config.ini that belong on this machine, in the background."
    )
    actions = ("start", "stop", "restart", "status", "logs", "calls", "secure")
    parser.add_argument("action", choices=actions)
    parser.add_argument(
        "role", nargs="*", help="a kind of daemon, or one, such as data_node_0; without any: all"
    )
    parser.add_argument("--config", metavar="FILE", help="use FILE, not the default config.ini")
    parser.add_argument("--data-nodes", metavar="N", type=count, help="only the first N datanodes")
    parser.add_argument(
        "--this-host",
        metavar="HOST",
        action="append",
        default=[],
        help="HOST is this machine, though none of its addresses says so (a public EC2 address)",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="logs: go on until Ctrl-C")
    parser.add_argument(
        "-n", "--lines", metavar="LINES", type=count, default=TAIL_LINES,
        help=f"logs: so many lines of each ({TAIL_LINES})",
    )  # fmt: skip
    # Options may stand between the action and the roles.
    return parser.parse_intermixed_args(argv)


def use_a_python_with_rpyc(argv: Sequence[str]) -> None:
    """Go on with the Python of `.venv` when this one lacks what daemons need. Raises Failure."""
    if importlib.util.find_spec("rpyc") is not None:
        return
    other = ROOT / ".venv" / "bin" / "python"
    if not os.access(other, os.X_OK) or Path(sys.prefix) == other.parent.parent:
        raise Failure(
            f"{sys.executable} has no RPyC: run ./scripts/quickstart once, which installs it in "
            ".venv, or `pip install .`"
        )
    os.execv(other, [str(other), str(ROOT / "scripts" / "cluster.py"), *argv])


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status, as the module's description has it."""
    arguments = parse(argv)
    # A log may hold what this terminal's encoding lacks.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        if arguments.action in ("start", "restart", "calls"):
            use_a_python_with_rpyc(sys.argv[1:] if argv is None else argv)
        return act(arguments)
    except DfsError as error:
        say(error.message)
        return error.exit_status
    except Failure as error:
        say(str(error))
        return 1
    except BrokenPipeError:
        # Who reads the logs has seen enough; nobody may write more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if arguments.action == "start":
            say("interrupted; what was started runs on: stop ends it, start goes on waiting")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
