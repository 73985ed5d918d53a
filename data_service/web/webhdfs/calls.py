"""One call of an operation: what the request says, and by whom and on what it is carried out."""

from typing import TYPE_CHECKING, NamedTuple

from data_service.web.exchange.body import Body
from data_service.web.exchange.parameters import Parameters

if TYPE_CHECKING:
    from data_service.filesystem.file_system import FileSystem


class Call(NamedTuple):
    """`origin` is scheme, host and port by which the client came; the user is that of `fs`."""

    path: str
    parameters: Parameters
    fs: "FileSystem"
    body: Body
    origin: str
