"""groups: what the cluster knows, and anybody may ask."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def groups(session: Session, words: List[str]) -> None:
    """Show the groups that the namenode finds for users; for the caller when none is named."""
    users = parse(words).arguments or [session.places.user]
    for user in users:
        session.attempt(lambda: _show_groups(session, user), user)


def _show_groups(session: Session, user: str) -> None:
    session.out.line(" ".join([f"{user} :", *session.filesystem.groups(user)]))
