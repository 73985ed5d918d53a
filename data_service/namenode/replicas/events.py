"""What the block side did by itself, for the daemon to log: pure modules write no log."""

from typing import List, NamedTuple, Tuple

_KEPT = 1000


class Event(NamedTuple):
    """Something worth a line: `log.info(event.name, **dict(event.fields))`."""

    name: str
    fields: Tuple[Tuple[str, object], ...]


class Events:
    """A bounded list. What does not fit until the next `drain` is only counted."""

    def __init__(self) -> None:
        self._kept: List[Event] = []
        self._dropped = 0

    def __repr__(self) -> str:
        return f"<Events {len(self._kept)} kept, {self._dropped} dropped>"

    def note(self, name: str, **fields: object) -> None:
        """Add one event; its name is `noun.verb`."""
        if len(self._kept) < _KEPT:
            self._kept.append(Event(name, tuple(fields.items())))
        else:
            self._dropped += 1

    def drain(self) -> List[Event]:
        """All events since the last drain, with a last one about those that did not fit."""
        events, dropped = self._kept, self._dropped
        self._kept, self._dropped = [], 0
        if dropped:
            events.append(Event("events.dropped", (("count", dropped),)))
        return events
