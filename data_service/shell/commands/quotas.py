"""setQuota, clrQuota, setSpaceQuota, clrSpaceQuota: how much directories may hold.

They follow the rules of HDFS's `dfsadmin`: silent when all went well, any error is exit status 255.
"""

from typing import List

from data_service.protocol.files import QUOTA_RESET, QUOTA_UNCHANGED
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.local_store import LocalStore
from data_service.shell.arguments.options import binary_number, parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session
from zookeeper.fabric.errors import DfsError, InvalidArgument, PathNotFound

_BY_TYPE = "storageType"


def set_quota(session: Session, words: List[str]) -> None:
    """Limit how many files and directories there may be in trees."""
    quota, *directories = parse(words, least=2).arguments
    names = binary_number(quota, f'For input string: "{quota}"')
    _set(session, directories, names, QUOTA_UNCHANGED)


def clear_quota(session: Session, words: List[str]) -> None:
    """Lift the limit of names."""
    _set(session, parse(words, least=1).arguments, QUOTA_RESET, QUOTA_UNCHANGED)


def set_space_quota(session: Session, words: List[str]) -> None:
    """Limit the bytes of trees, all replicas counted."""
    quota, *directories = parse(words, least=2).arguments
    if directories[0] == f"-{_BY_TYPE}":
        raise _not_by_type()
    refusal = f'"{quota}" is not a valid value for a quota.'
    _set(session, directories, QUOTA_UNCHANGED, binary_number(quota, refusal))


def clear_space_quota(session: Session, words: List[str]) -> None:
    """Lift the limit of bytes."""
    options = parse(words, valued=_BY_TYPE, least=1)
    if options.value(_BY_TYPE) is not None:
        raise _not_by_type()
    _set(session, options.arguments, QUOTA_UNCHANGED, QUOTA_RESET)


def _set(session: Session, directories: List[str], names: int, space: int) -> None:
    if names == 0:
        raise UsageError(f"Invalid values for quota : {names} and {space}")

    def act(item: Item) -> None:
        if isinstance(item.store, LocalStore):
            raise InvalidArgument(f"FileSystem {item.store.uri}/ is not an HDFS file system")
        try:
            item.store.set_quota(item.path, names, space)
        except PathNotFound as error:
            # HDFS answers this one with the namenode's own words.
            raise DfsError(error.message) from None

    session.each(directories, act, missing=act)


def _not_by_type() -> InvalidArgument:
    return InvalidArgument("quotas by storage type are not supported: all storage is of type DISK")
