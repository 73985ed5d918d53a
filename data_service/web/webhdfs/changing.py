"""The operations that change names and what is known of them."""

from data_service.protocol.files import QUOTA_UNCHANGED
from data_service.web.exchange.answers import EMPTY, Answer, answer_boolean
from data_service.web.exchange.parameters import invalid
from data_service.web.exchange.remote_exceptions import ILLEGAL_ARGUMENT, RemoteException
from data_service.web.webhdfs.addresses import check_new, plain_path
from data_service.web.webhdfs.calls import Call
from zookeeper.fabric.errors import IsADirectory, NotADirectory, PathExists, PathNotFound

DIRECTORY_MODE = 0o755
_LOOKS_MAX = 2
_RENAME_OPTIONS = ("NONE", "OVERWRITE", "TO_TRASH")


def make_directories(call: Call) -> Answer:
    """A directory with those above it; one that is there is fine, too."""
    mode = call.parameters.mode("permission", DIRECTORY_MODE)
    check_new(call.path)
    call.fs.mkdir(call.path, parents=True, mode=mode)
    return answer_boolean(True)


def delete(call: Call) -> Answer:
    """Whether there was something, which is gone now. The root stays."""
    recursive = call.parameters.boolean("recursive")
    return answer_boolean(call.path != "/" and call.fs.delete(call.path, recursive))


def rename(call: Call) -> Answer:
    """Whether it was renamed, as HDFS's first call of that name has it: into a directory that is
    there, and with a plain no where its second raises an error."""
    source, destination = call.path, plain_path(call.parameters.path("destination"))
    check_new(destination)
    options = [word.upper() for word in call.parameters.text("renameoptions").split(",") if word]
    for option in options:
        if option not in _RENAME_OPTIONS:
            invalid("renameoptions", f"No enum constant Options.Rename.{option}")
    if options:
        return _rename_exactly(call, destination, "OVERWRITE" in options)
    if source == "/":
        return answer_boolean(False)
    try:
        status = call.fs.stat(source)
        if destination == source:
            return answer_boolean(not status.is_directory)
        # Where nothing was when we looked, a directory may be by now: then we look once more.
        return answer_boolean(any(_moves(call, destination) for _ in range(_LOOKS_MAX)))
    except (PathNotFound, NotADirectory):
        return answer_boolean(False)


def _moves(call: Call, destination: str) -> bool:
    """Rename to what is free there: whether it was."""
    target = destination
    if _is_directory(call, destination):
        target = f"{destination.rstrip('/')}/{call.path.rpartition('/')[2]}"
    if target == call.path:
        return True
    if f"{target}/".startswith(f"{call.path}/"):
        return False
    try:
        call.fs.rename(call.path, target)
    except PathExists:
        return False
    return True


def _rename_exactly(call: Call, destination: str, overwrite: bool) -> Answer:
    """HDFS's second call, whose answer is empty there; but some clients read a boolean."""
    call.fs.rename(call.path, destination, overwrite)
    return answer_boolean(True)


def _is_directory(call: Call, path: str) -> bool:
    try:
        return call.fs.stat(path).is_directory
    except (PathNotFound, NotADirectory):
        return False


def concat(call: Call) -> Answer:
    """The sources go behind the end of a file, and are gone."""
    call.fs.concat(call.path, *map(plain_path, call.parameters.paths("sources")))
    return EMPTY


def truncate(call: Call) -> Answer:
    """A file is shortened, and is so when this is answered."""
    call.parameters.required("newlength")
    call.fs.truncate(call.path, call.parameters.long("newlength"))
    return answer_boolean(True)


def set_replication(call: Call) -> Answer:
    """Whether there is a file, which shall have so many replicas from now on."""
    usual = call.fs.settings.name_node.replication_factor
    replication = call.parameters.short("replication", usual)
    try:
        call.fs.set_replication(call.path, replication)
    except (PathNotFound, IsADirectory, NotADirectory):
        return answer_boolean(False)
    return answer_boolean(True)


def set_owner(call: Call) -> Answer:
    """Another owner, another group, or both."""
    owner, group = call.parameters.text("owner"), call.parameters.text("group")
    if not owner and not group:
        raise RemoteException(ILLEGAL_ARGUMENT, "Both owner and group are empty.")
    call.fs.set_owner(call.path, owner, group)
    return EMPTY


def set_permission(call: Call) -> Answer:
    """Other permission bits."""
    call.fs.set_mode(call.path, call.parameters.mode("permission", DIRECTORY_MODE))
    return EMPTY


def set_times(call: Call) -> Answer:
    """Other times; -1 leaves one as it is."""
    modified = call.parameters.long("modificationtime", -1, least=-1)
    accessed = call.parameters.long("accesstime", -1, least=-1)
    call.fs.set_times(call.path, modified, accessed)
    return EMPTY


def set_quota(call: Call) -> Answer:
    """Other quotas of a directory; what is not given stays."""
    names = call.parameters.long("namespacequota", QUOTA_UNCHANGED, least=-1)
    space = call.parameters.long("storagespacequota", QUOTA_UNCHANGED, least=-1)
    call.fs.set_quota(call.path, names, space)
    return EMPTY
