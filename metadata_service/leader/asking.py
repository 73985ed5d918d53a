"""One question to all members at once, each in a thread of its own: before there are lanes."""

import threading
import time
from typing import Any, Callable, Dict, NamedTuple, Sequence, Tuple

from metadata_service.leader.lane import Ways
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DfsError

STRAGGLER_SECONDS = 0.05
"""How long the others are waited for once enough have answered."""


class Heard(NamedTuple):
    """What was answered until now, and what went wrong, by address."""

    answers: Dict[str, Any]
    errors: Dict[str, DfsError]


def ask_all(
    ways: Ways,
    addresses: Sequence[str],
    call: Call,
    args: Tuple[Any, ...],
    seconds: float,
    enough: Callable[[Dict[str, Any]], bool],
) -> Heard:
    """Ask at every address, and return when all have answered, or a moment after enough have, at
    the latest after so many seconds. Who is slower is not waited for: his thread ends by itself."""
    heard = Heard({}, {})
    told = threading.Condition()

    def ask(address: str) -> None:
        try:
            answer = call.result(ways.perform(address, call, args, seconds))
        except DfsError as error:
            with told:
                heard.errors[address] = error
                told.notify_all()
        else:
            with told:
                heard.answers[address] = answer
                told.notify_all()

    def all_answered() -> bool:
        return len(heard.answers) + len(heard.errors) == len(addresses)

    deadline = time.monotonic() + seconds
    for address in addresses:
        threading.Thread(target=ask, args=(address,), name=f"ask {address}", daemon=True).start()
    with told:
        told.wait_for(lambda: all_answered() or enough(heard.answers), seconds)
        left = min(STRAGGLER_SECONDS, deadline - time.monotonic())
        if left > 0:
            told.wait_for(all_answered, left)
        return Heard(dict(heard.answers), dict(heard.errors))
