"""One question to every member of the metadata quorum, again and again.

Each is asked in a thread of its own, so a member whose host is dead delays no other's answer.
"""

import threading
from functools import partial
from typing import Any, Callable, Iterable, Optional, Set, Tuple

from metadata_service.calls import MemberCalls
from metadata_service.leader.lane import Ways
from zookeeper.fabric.calls import Call

ASKED_MAX = 20
"""So many addresses are asked at most: those of config.ini, and where members say that others are
of two sets that change. Each has a thread, and a member could name more and more."""

Ask = Callable[[str, MemberCalls], None]
"""What is asked of the member at an address; it copes with all errors that it may meet."""


class EachMember:
    """Asks in rounds `pause_seconds` apart, until it is stopped; each answer may take
    `answer_seconds`."""

    def __init__(
        self, ways: Ways, name: str, pause_seconds: float, answer_seconds: float, ask: Ask
    ) -> None:
        self._ways = ways
        self._name = name
        self._pause_seconds, self._answer_seconds = pause_seconds, answer_seconds
        self._ask = ask
        self._lock = threading.Lock()
        self._asked: Set[str] = set()
        self._stopping = False
        self._wake = threading.Event()

    def start(self) -> None:
        """Begin to ask, at once."""
        self.ask_at(self._ways.addresses)

    def ask_at(self, addresses: Iterable[str]) -> None:
        """Ask at these addresses, too, from now on."""
        with self._lock:
            new = [address for address in addresses if address not in self._asked]
            new = new[: ASKED_MAX - len(self._asked)]
            self._asked.update(new)
        for address in new:
            thread = threading.Thread(
                target=self._keep, args=(address,), name=self._name, daemon=True
            )
            thread.start()

    def now(self) -> None:
        """Do not wait for the next round."""
        self._wake.set()

    def stop(self) -> None:
        """Ask no more. An answer may still come."""
        self._stopping = True
        self._wake.set()

    def _keep(self, address: str) -> None:
        member = MemberCalls(partial(self._perform, address), self._answer_seconds)
        while not self._stopping:
            self._ask(address, member)
            # Of several that are woken some may sleep on, for a pause at most.
            if self._wake.wait(self._pause_seconds) and not self._stopping:
                self._wake.clear()

    def _perform(
        self, address: str, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None
    ) -> Any:
        return self._ways.perform(address, call, args, seconds or self._answer_seconds)

    def __repr__(self) -> str:
        return f"<EachMember of {len(self._ways.addresses)}>"
