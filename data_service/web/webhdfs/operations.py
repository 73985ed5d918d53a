"""The table of WebHDFS's operations: the method of HTTP that each goes with, and what does it."""

from typing import Callable, Dict, NamedTuple, NoReturn, Optional

from data_service.web.exchange.answers import Answer
from data_service.web.exchange.parameters import invalid
from data_service.web.exchange.remote_exceptions import UNSUPPORTED, RemoteException
from data_service.web.webhdfs import changing, contents, delegation, reading
from data_service.web.webhdfs.calls import Call


class Operation(NamedTuple):
    """`first` is of those that are done in two steps: what the first one makes sure of."""

    method: str
    perform: Callable[[Call], Answer]
    first: Optional[Callable[[Call], None]] = None


OPERATIONS: Dict[str, Operation] = {
    "OPEN": Operation("GET", contents.open_file, contents.check_file),
    "GETFILESTATUS": Operation("GET", reading.get_file_status),
    "GETFILELINKSTATUS": Operation("GET", reading.get_file_status),  # There are no links.
    "LISTSTATUS": Operation("GET", reading.list_status),
    "LISTSTATUS_BATCH": Operation("GET", reading.list_status_batch),
    "GETCONTENTSUMMARY": Operation("GET", reading.get_content_summary),
    "GETQUOTAUSAGE": Operation("GET", reading.get_quota_usage),
    "GETFILECHECKSUM": Operation("GET", contents.get_file_checksum, contents.check_file),
    "GETHOMEDIRECTORY": Operation("GET", reading.get_home_directory),
    "GETTRASHROOT": Operation("GET", reading.get_trash_root),
    "CHECKACCESS": Operation("GET", reading.check_access),
    "GETFILEBLOCKLOCATIONS": Operation("GET", reading.get_file_block_locations),
    "GET_BLOCK_LOCATIONS": Operation("GET", reading.get_located_blocks),
    "GETSERVERDEFAULTS": Operation("GET", reading.get_server_defaults),
    "GETSTATUS": Operation("GET", reading.get_status),
    "GETACLSTATUS": Operation("GET", reading.get_acl_status),
    "GETDELEGATIONTOKEN": Operation("GET", delegation.get_delegation_token),
    "CREATE": Operation("PUT", contents.create, contents.check_creatable),
    "MKDIRS": Operation("PUT", changing.make_directories),
    "RENAME": Operation("PUT", changing.rename),
    "SETREPLICATION": Operation("PUT", changing.set_replication),
    "SETOWNER": Operation("PUT", changing.set_owner),
    "SETPERMISSION": Operation("PUT", changing.set_permission),
    "SETTIMES": Operation("PUT", changing.set_times),
    "SETQUOTA": Operation("PUT", changing.set_quota),
    "RENEWDELEGATIONTOKEN": Operation("PUT", delegation.renew_delegation_token),
    "CANCELDELEGATIONTOKEN": Operation("PUT", delegation.cancel_delegation_token),
    "APPEND": Operation("POST", contents.append, contents.check_file),
    "CONCAT": Operation("POST", changing.concat),
    "TRUNCATE": Operation("POST", changing.truncate),
    "DELETE": Operation("DELETE", changing.delete),
}

MISSING: Dict[str, str] = {
    "GET": "GETXATTRS LISTXATTRS GETSTORAGEPOLICY GETALLSTORAGEPOLICY GETECPOLICY GETECPOLICIES "
           "GETECCODECS GETLINKTARGET GETSNAPSHOTDIFF GETSNAPSHOTDIFFLISTING "
           "GETSNAPSHOTTABLEDIRECTORYLIST GETSNAPSHOTLIST GETDELEGATIONTOKENS",
    "PUT": "SETACL MODIFYACLENTRIES REMOVEACLENTRIES REMOVEACL REMOVEDEFAULTACL SETXATTR "
           "REMOVEXATTR ALLOWSNAPSHOT DISALLOWSNAPSHOT CREATESNAPSHOT RENAMESNAPSHOT "
           "SETQUOTABYSTORAGETYPE SETSTORAGEPOLICY SATISFYSTORAGEPOLICY ENABLEECPOLICY "
           "DISABLEECPOLICY SETECPOLICY CREATESYMLINK",
    "POST": "UNSETSTORAGEPOLICY UNSETECPOLICY",
    "DELETE": "DELETESNAPSHOT",
}  # fmt: skip
"""What HDFS has and this file system has not (yet)."""



def find(method: str, op: str) -> Operation:
    """The operation of this name, for this method. Raises RemoteException."""
    operation = OPERATIONS.get(op)
    if operation is not None and operation.method == method:
        return operation
    if op == "CREATESYMLINK" and method == "PUT":
        raise RemoteException(UNSUPPORTED, "Symlinks not supported")
    if not op or op in MISSING[method].split():
        raise RemoteException(UNSUPPORTED, f"{op or 'NULL'} is not supported")
    _unknown(method, op)


def _unknown(method: str, op: str) -> NoReturn:
    kind = f"{method.capitalize()}OpParam"
    invalid("op", f"No enum constant org.apache.hadoop.hdfs.web.resources.{kind}.Op.{op}")
