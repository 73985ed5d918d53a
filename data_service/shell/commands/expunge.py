"""expunge: what is old goes out of the trash."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session
from data_service.shell.trash import trash_of


def expunge(session: Session, words: List[str]) -> None:
    """Close the current trash as a checkpoint, and delete old checkpoints, or all."""
    options = parse(words, "immediate", "fs")
    session.places.cluster_item(options.value("fs") or ".")
    trash = trash_of(session)
    if options.has("immediate"):
        trash.checkpoint()
        trash.delete_checkpoints(session.attempt, of_any_age=True)
    else:
        trash.delete_checkpoints(session.attempt)
        trash.checkpoint()
