"""backup: a copy of the record of the namespace, without which all blocks are nameless."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def backup(session: Session, words: List[str]) -> None:
    """Copy the record of the namespace into a local directory, while it is used."""
    directory = parse(words, least=1, most=1).arguments[0]
    found = session.filesystem.back_up(directory)
    inodes, blocks = found.rows["inodes"], found.rows["blocks"]
    session.out.line(
        f"Backed up cluster {found.cluster_id} to edit {found.last_txid} into {directory}: "
        f"{inodes} files and directories, {blocks} blocks"
    )
    session.out.line(
        "To put it back: python3 metadata_service/metadata.py --restore "
        f"{directory}, where metadata_dir holds no record"
    )
