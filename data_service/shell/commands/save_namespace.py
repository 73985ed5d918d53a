"""saveNamespace: the record of the namespace, made compact."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def save_namespace(session: Session, words: List[str]) -> None:
    """Have the record of the namespace made compact; only in safe mode."""
    # With -beforeShutdown HDFS skips what was saved lately. Here it costs next to nothing.
    parse(words, "beforeShutdown", most=0)
    session.filesystem.save_namespace()
    session.out.line("Save namespace successful")
