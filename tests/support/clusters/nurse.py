"""A process that has imported what our programs import, and forks one whenever it is asked to.

    python -m tests.support.clusters.nurse FD

Half a second of processor time goes into the imports of a daemon or a command, and the tests start
thousands. `nursery.py` is the side of who asks. Orders come through the socket FD, each with the
descriptors of the new process's standard streams; back goes its id, and later its exit status.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional, Set

import data_service
import metadata_service
import zookeeper

MAIN = "__main__"
ORDER_BYTES_MAX = 1 << 18
_STREAMS = 3

ROOMS = (zookeeper, metadata_service, data_service)
"""What is here already is not imported by who is born."""


class Order(NamedTuple):
    """What to be born as; `streams` are its standard input, output and error."""

    command: List[str]
    environment: Dict[str, str]
    folder: str
    streams: List[int]


def serve(asking: socket.socket) -> Optional[Order]:
    """Fork for every order until who asks has gone (None); in the child, the order."""
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    with selectors.DefaultSelector() as selector:
        selector.register(asking, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        living: Set[int] = set()
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if woken in ready:
                woken.recv(1 << 16)
                _tell_ended(asking, living)
            if asking in ready:
                order = _order(asking)
                if order is None:
                    end_all(living)
                    return None
                pid = os.fork()
                if pid == 0:
                    break
                living.add(pid)
                for descriptor in order.streams:
                    os.close(descriptor)
                _tell(asking, {"born": pid})
    signal.set_wakeup_fd(-1)
    for end in (woken, waking, asking):
        end.close()
    return order


def end_all(living: Set[int]) -> None:
    """Who asks has ended, perhaps without having been able to end what it began."""
    for pid in living:
        os.kill(pid, signal.SIGKILL)


def become(order: Order) -> None:
    """Be as a process that the command has started, in a session of its own."""
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order.folder)
    for target, descriptor in enumerate(order.streams):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    sys.argv = order.command[1:]
    runpy.run_path(sys.argv[0], run_name=MAIN)


def _order(asking: socket.socket) -> Optional[Order]:
    data, descriptors, _, _ = socket.recv_fds(asking, ORDER_BYTES_MAX, _STREAMS)
    if not data:
        return None
    return Order(**json.loads(data), streams=list(descriptors))


def _tell_ended(asking: socket.socket, living: Set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        living.discard(pid)
        ended = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        _tell(asking, {"ended": pid, "status": ended})


def _tell(asking: socket.socket, word: Dict[str, Any]) -> None:
    try:
        asking.send(json.dumps(word).encode("ascii"))
    except OSError:
        pass  # Who asks has gone; the next look at the socket says so.


def main() -> None:
    """Serve, or be the newborn to its end."""
    asking = socket.socket(fileno=int(sys.argv[1]))
    # Whoever interrupts the tests means the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for room in ROOMS:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not module.name.endswith(f".{MAIN}"):
                importlib.import_module(module.name)
    # A newborn's last collection would go through all this: 80 ms of processor time each.
    gc.freeze()
    order = serve(asking)
    if order is not None:
        become(order)


if __name__ == MAIN:
    main()
