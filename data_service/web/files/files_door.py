"""The door to what the page asks of files besides WebHDFS: JSON below /files/."""

from contextlib import ExitStack
from typing import Callable, Dict, Tuple
from urllib.parse import quote

from data_service.filesystem.file_system import FileSystem
from data_service.filesystem.matching import look
from data_service.web.doors import deed_of
from data_service.web.exchange.answers import Answer, answer_json
from data_service.web.exchange.request import Request
from data_service.web.files import trash_deeds, tree_checks
from data_service.web.visitors import Visitors
from data_service.web.webhdfs.calls import Call
from data_service.web.webhdfs.contents import open_file

Deed = Callable[[Request, FileSystem], Answer]


def download(request: Request, fs: FileSystem) -> Answer:
    """The bytes of the file `path`, which a browser saves, under its name, and does not show."""
    path = fs.absolute(request.parameters.path("path"))
    answer = open_file(Call(path, request.parameters, fs, request.body, request.origin))
    name = quote(path.rpartition("/")[2], safe="")
    disposition = ("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
    return answer._replace(headers=(disposition,))


def there(request: Request, fs: FileSystem) -> Answer:
    """The type of what is at `path`, FILE or DIRECTORY; null for nothing, which is no error."""
    status = look(fs, fs.absolute(request.parameters.path("path")))
    kind = status and ("DIRECTORY" if status.is_directory else "FILE")
    return answer_json({"type": kind})


DEEDS: Dict[str, Tuple[str, Deed]] = {
    "blocks": ("GET", tree_checks.blocks),
    "download": ("GET", download),
    "expunge": ("POST", trash_deeds.expunge),
    "fsck": ("GET", tree_checks.fsck),
    "open": ("GET", tree_checks.open_files),
    "restore": ("POST", trash_deeds.restore),
    "there": ("GET", there),
    "trash": ("POST", trash_deeds.put),
    "trashed": ("GET", trash_deeds.listing),
    "under_replicated": ("GET", tree_checks.under_replicated),
}
"""By the name behind /files/: the method of HTTP that goes with it, and what does it."""


class FilesDoor:
    """Answers requests below /files/, with the rights of who asks."""

    def __init__(self, visitors: Visitors) -> None:
        self._visitors = visitors

    def answer(self, request: Request, held: ExitStack) -> Answer:
        """See Door."""
        deed = deed_of(DEEDS, request.path[len("/files/") :], request)
        return deed(request, self._visitors.client(request, held))
