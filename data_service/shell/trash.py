"""The trash of the shell's commands: who puts what into it, and what a person is told of it."""

from data_service.filesystem.trash import HoldsTheTrash, Trash
from data_service.shell.arguments.definitions import TRASH_MINUTES
from data_service.shell.arguments.items import Item
from data_service.shell.failures import FATAL
from data_service.shell.session import Session
from data_service.shell.streams import complain
from zookeeper.fabric.errors import DfsError, PathNotFound

_ADVICE = "Consider using -skipTrash option"


def minutes_of(session: Session) -> int:
    """How long things stay in the trash, by -D or else config.ini; 0 when there is no trash."""
    usual = session.filesystem.settings.client.trash_minutes
    return session.definitions.number(TRASH_MINUTES, usual)


def trash_of(session: Session) -> Trash:
    """The trash of the user who runs the session's command."""
    home = f"/user/{session.places.user}"
    return Trash(session.places.cluster, home, minutes_of(session))


def take(session: Session, item: Item) -> bool:
    """Move something to the trash; False when it must be deleted instead: there is no trash, or
    it is in there already, or on this machine's disk.

    Raises an error when it can be neither.
    """
    if item.store.is_local or minutes_of(session) <= 0:
        return False
    try:
        place = trash_of(session).put(item.path)
    except FATAL + (PathNotFound,):
        raise
    except HoldsTheTrash:
        raise DfsError(
            f'Cannot move "{item.full}" to the trash, as it contains the trash. {_ADVICE}'
        ) from None
    except DfsError as error:
        raise DfsError(
            f"Failed to move to trash: {item.full}: {error.message}. {_ADVICE}"
        ) from error
    if place is None:
        return False
    complain(f"Moved: '{item.full}' to trash at: {session.places.cluster.uri}{place}")
    return True
