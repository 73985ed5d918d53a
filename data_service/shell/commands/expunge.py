"""expunge: what is old goes out of the trash."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session
from data_service.shell.trash import trash_of


def expunge(session: Session, words: List[str]) -> None:
    """Close the current trash as a checkpoint, and delete old checkpoints, or all."""
    options = parse(words, "immediate", "fs")
    session.places.cluster_item(options.value("fs") or ".")
    trash_of(session).expunge(session.attempt, everything=options.has("immediate"))
