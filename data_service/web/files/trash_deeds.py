"""The trash of who asks: into it, out of it, and emptying it."""

from data_service.filesystem.file_system import FileSystem
from data_service.filesystem.matching import look
from data_service.filesystem.trash import CURRENT, Trash
from data_service.web.exchange.answers import Answer, answer_boolean, answer_json
from data_service.web.exchange.remote_exceptions import refused
from data_service.web.exchange.request import Request


def listing(_request: Request, fs: FileSystem) -> Answer:
    """Where the trash is, for how many minutes things stay in it (0: it is not used), and what is
    in it: `Current` and closed checkpoints, with when these were closed."""
    trash = _of(fs)
    rows = [
        {"name": name, "path": f"{trash.root}/{name}", "closed_ms": int(moment * 1000)}
        for name, moment in trash.checkpoints()
    ]
    if look(fs, trash.current) is not None:
        rows.insert(0, {"name": CURRENT, "path": trash.current, "closed_ms": None})
    minutes = fs.settings.client.trash_minutes
    return answer_json({"root": trash.root, "minutes": minutes, "checkpoints": rows})


def put(request: Request, fs: FileSystem) -> Answer:
    """Move `path` into the trash; `place` is where it lies now."""
    path = fs.absolute(request.parameters.path("path"))
    if not fs.settings.client.trash_minutes:
        raise refused(
            f"{path} was not removed: there is no trash, since trash_minutes of [client] is 0; "
            "it can be deleted for good"
        )
    place = _of(fs).put(path)
    if place is None:
        raise refused(f"{path} lies in the trash already; it can be deleted for good")
    return answer_json({"place": place})


def restore(request: Request, fs: FileSystem) -> Answer:
    """Move `path`, which lies in the trash, back; `place` is where it came from."""
    path = fs.absolute(request.parameters.path("path"))
    return answer_json({"place": _of(fs).restore(path)})


def expunge(request: Request, fs: FileSystem) -> Answer:
    """Delete what is too old; with `immediate=true` all that is in the trash."""
    _of(fs).expunge(everything=request.parameters.boolean("immediate"))
    return answer_boolean(True)


def _of(fs: FileSystem) -> Trash:
    return Trash(fs, fs.home, fs.settings.client.trash_minutes)
