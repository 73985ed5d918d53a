"""The life of a daemon's process: arguments, settings, signals, the ready line, a clean stop."""

import argparse
import ipaddress
import os
import platform
import signal
import sys
import threading
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple

from zookeeper.fabric import logs
from zookeeper.fabric.auth import SECRET
from zookeeper.fabric.budget import give_back_at_once
from zookeeper.fabric.errors import (
    DfsError,
    InternalError,
    SettingsError,
    StartRefused,
    Unavailable,
)
from zookeeper.fabric.log_file import STANDARD, LogFile
from zookeeper.fabric.release import VERSION, release
from zookeeper.fabric.settings import Address, Settings, load
from zookeeper.fabric.sockets import own_numbers
from zookeeper.fabric.standard_streams import occupy

log = logs.get("daemon")

ANY_INTERFACE = "0.0.0.0"
NAME_SECONDS = 30.0
"""How long a start waits for a name service that does not answer."""

NAME_PAUSE_SECONDS = 2.0


class Daemon:
    """What `run` drives. `start` may wait for other daemons; `stop` ends it at any moment."""

    ready = ""
    """What the ready line says after the role: the address, and a word on the state."""

    def start(self) -> None:
        """Begin to serve; returns once requests are answered."""
        raise NotImplementedError

    def stop(self) -> None:
        """Finish running requests, give up sessions and locks; also before `start` returned."""
        raise NotImplementedError


Build = Callable[[Settings, argparse.Namespace], Daemon]


def run(
    role: str,
    description: str,
    argv: Optional[List[str]],
    build: Build,
    add_arguments: Optional[Callable[[argparse.ArgumentParser], Any]] = None,
) -> int:
    """Run one daemon until SIGTERM, SIGINT or SIGHUP; the process's exit status.

    0 after a clean stop, 2 for a wrong command line or config.ini, 1 when it cannot start; the
    reason is one line on standard error.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", metavar="FILE", help="use FILE, not the default config.ini")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"))
    parser.add_argument(
        "--log-file",
        metavar="FILE",
        help="write to FILE, not to the terminal; when it is full, on to a new one",
    )
    parser.add_argument("--version", action="version", version=release())
    if add_arguments is not None:
        add_arguments(parser)
    arguments = parser.parse_args(argv)
    occupy()
    # Whatever a daemon writes, its logs too, is nobody else's to read.
    umask = os.umask(0o077)
    try:
        logs.configure(
            arguments.log_level,
            LogFile(arguments.log_file, descriptors=STANDARD) if arguments.log_file else None,
        )
        give_back_at_once()
        settings = load(arguments.config)
        daemon = build(settings, arguments)
        log.info(
            "daemon.starting",
            role=role,
            pid=os.getpid(),
            version=VERSION,
            python=platform.python_version(),
            config=settings.path or "(none: every setting has its default)",
        )
        return _live(role, daemon)
    except DfsError as error:
        print(f"{role}: {error.message}", file=sys.stderr)
        return error.exit_status
    finally:
        os.umask(umask)


def _live(role: str, daemon: Daemon) -> int:
    # A pipe, which the interpreter itself writes to when a signal comes: a thread that waits for a
    # lock (of an Event, of a queue) may sleep on when the signal arrives just before it lies down.
    heard, said = os.pipe()
    os.set_blocking(said, False)
    failures: List[DfsError] = []
    stopping = threading.Event()

    def on_signal(number: int, _frame: Any) -> None:
        # A second signal must end a daemon whose clean stop hangs: give it its default effect.
        signal.signal(number, signal.SIG_DFL)

    def fail(error: DfsError) -> None:
        failures.append(error)
        os.write(said, b"!")

    def start() -> None:
        try:
            daemon.start()
            # Who was stopped while it waited for others never served.
            if not stopping.is_set():
                _say_ready(role, daemon)
        except DfsError as error:
            fail(error)
        except Exception as error:  # A defect: without this the process would wait for ever.
            log.error("daemon.failed", exc_info=True, role=role)
            fail(InternalError(f"cannot start: {type(error).__name__}: {error}"))

    signal.set_wakeup_fd(said, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A terminal that closes stops a daemon cleanly too, unless nohup started it.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, on_signal)
    threading.Thread(target=start, name="start", daemon=True).start()
    os.read(heard, 1)
    stopping.set()
    failed = list(failures)
    if not failed:
        log.info("daemon.stopping", role=role)
    daemon.stop()
    if failed:
        raise failed[0]
    log.info("daemon.stopped", role=role)
    return 0


def _say_ready(role: str, daemon: Daemon) -> None:
    if sys.stdout is not None:
        try:
            # Past Python's buffer, whose second attempt at exit would spoil the exit status.
            os.write(sys.stdout.fileno(), f"ready {role} {daemon.ready}\n".encode())
        except OSError:
            pass  # Nobody reads standard output: the log has the line too.
    log.info("daemon.ready", role=role, pid=os.getpid(), state=daemon.ready)


def address_at(hosts: Sequence[Address], index: int, key: str) -> Address:
    """The address of the daemon that the command line names by its index; SettingsError."""
    if not hosts:
        raise SettingsError(f"found nothing in {key}, expected HOST:PORT, where to listen")
    if not 0 <= index < len(hosts):
        listed = ", ".join(f"{number} = {host}" for number, host in enumerate(hosts))
        raise SettingsError(f"found index {index}, expected one of {key}: {listed}")
    return hosts[index]


def add_index(parser: argparse.ArgumentParser, kind: str, key: str) -> None:
    """Let the command line name by its index which daemon of this kind to be; else the first."""
    parser.add_argument(
        "index",
        nargs="?",
        type=int,
        default=0,
        help=f"which {kind} to be: index into {key}, from 0 (the default)",
    )


def bind_host(settings: Settings, advertised: Address, hears_passwords: bool = False) -> str:
    """Where a daemon that others know as `advertised` shall listen.

    The setting `bind_host` decides when given; else the advertised host when it is of this
    machine, else (a public address in front of this machine, as on EC2) every interface. In mode
    `simple` anybody who can connect owns the data, so only loopback is allowed unless the setting
    `allow_insecure` says otherwise; nor does one that hears passwords hear them over a network
    without TLS. A name that cannot be resolved (a machine boots, the name
    service is not up yet) is waited for, and at last refused: to listen everywhere instead would
    open what was meant to be private. Raises StartRefused.
    """
    host = settings.network.bind_host or advertised.host
    numbers = _own_numbers(host)
    if not numbers and not settings.network.bind_host:
        host, numbers = ANY_INTERFACE, (ANY_INTERFACE,)
    if not numbers:
        raise StartRefused(f"[network] bind_host = {host} is no address of this machine")
    loopback = all(ipaddress.ip_address(number).is_loopback for number in numbers)
    if not loopback:
        _check_open(settings, advertised, host, hears_passwords)
    if loopback and not host.startswith("localhost") and host not in numbers:
        # As Debian has it in /etc/hosts: 127.0.1.1 for the machine's own name.
        log.warning("address.loopback_only", host=host, address=numbers[0], effect=(
            "other machines cannot connect; if they shall, set [network] bind_host"))
    return host


def _check_open(
    settings: Settings, advertised: Address, host: str, hears_passwords: bool
) -> None:
    """Refuse what is not safe on a network, unless it is trusted, which the log tells then."""
    security = settings.security
    if security.mode != SECRET:
        effect = "all who can reach it may do everything"
        refusal = (
            f"{advertised} would be open to everybody who can reach {host}: set [security] "
            "mode = secret and key_file, or allow_insecure = true if the network is trusted"
        )
    elif hears_passwords and not security.tls:
        effect = "passwords go over the network as they are"
        refusal = (
            f"{advertised} would hear passwords that everybody on the way to {host} can read: set "
            "[security] tls = yes, or allow_insecure = true if the network is trusted"
        )
    else:
        return
    if not security.allow_insecure:
        raise StartRefused(refusal)
    log.warning("address.insecure", host=host, effect=effect)


def _own_numbers(host: str) -> Tuple[str, ...]:
    """As `own_numbers`, but for a while a name service that does not answer is waited for."""
    deadline = time.monotonic() + NAME_SECONDS
    while True:
        try:
            return own_numbers(host)
        except Unavailable as error:
            log.warning("name.awaited", host=host, error=error.message)
            if time.monotonic() >= deadline:
                raise StartRefused(
                    f"{error.message}; start again when names are resolved, or set bind_host"
                ) from None
        time.sleep(NAME_PAUSE_SECONDS)
