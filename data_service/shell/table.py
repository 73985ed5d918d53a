"""The table of all commands: the one place that knows which there are.

Nothing is imported for a command but the module that it lives in, when it is run: a short command
takes no longer to start than it must.
"""

from typing import Dict, NamedTuple


class Command(NamedTuple):
    """A row of the table. `function` takes the Session and the command's own words.

    `tool` is the program that HDFS has it in: fs, dfsadmin, or one of its own name. Their
    rules differ: see `dispatch`.
    """

    module: str
    function: str
    usage: str
    summary: str
    tool: str = "fs"


def _row(place: str, usage: str, summary: str, tool: str = "fs") -> Command:
    module, _, function = place.partition(":")
    return Command(f"data_service.shell.{module}", function, usage, summary, tool)


_PUT = "[-f] [-p] [-l] [-d] [-t <thread count>] [-q <thread pool queue size>] <localsrc> ... <dst>"
_GET = (
    "[-f] [-p] [-crc] [-ignoreCrc] [-t <thread count>] [-q <thread pool queue size>] "
    "<src> ... <localdst>"
)

COMMANDS: Dict[str, Command] = {
    # What is there.
    "ls": _row(
        "listing:ls",
        "[-C] [-d] [-h] [-q] [-R] [-t] [-S] [-r] [-u] [-e] [<path> ...]",
        "list files and directories",
    ),
    "stat": _row(
        "listing:stat", "[format] <path> ...", "show facts in a format of your own"
    ),
    "find": _row(
        "listing:find", "<path> ... <expression> ...", "print the paths whose names match"
    ),
    "test": _row("naming:test", "-[defswrz] <path>", "answer a question by the exit status"),
    # How much there is.
    "du": _row(
        "space:du", "[-s] [-h] [-v] [-x] <path> ...", "show the sizes of files and trees"
    ),
    "df": _row("space:df", "[-h] [<path> ...]", "show the room in the file system"),
    "count": _row(
        "space:count",
        "[-q] [-h] [-v] [-t [<storage type>]] [-u] [-x] [-e] [-s] <path> ...",
        "count directories, files and bytes",
    ),
    # Names.
    "mkdir": _row("naming:mkdir", "[-p] <path> ...", "make directories"),
    "touchz": _row("naming:touchz", "<path> ...", "make empty files"),
    "mv": _row("naming:mv", "<src> ... <dst>", "rename, or move into a directory"),
    "rm": _row(
        "removal:rm",
        "[-f] [-r|-R] [-skipTrash] [-safely] <src> ...",
        "delete files, with -r trees",
    ),
    "rmdir": _row(
        "removal:rmdir", "[--ignore-fail-on-non-empty] <dir> ...", "delete empty directories"
    ),
    "expunge": _row(
        "removal:expunge", "[-immediate] [-fs <path>]", "empty the trash of what is old"
    ),
    # Attributes.
    "touch": _row(
        "attributes:touch", "[-a] [-m] [-t TIMESTAMP (yyyyMMdd:HHmmss) ] [-c] <path> ...",
        "set times, and make missing files",
    ),
    "setrep": _row(
        "attributes:setrep", "[-R] [-w] <rep> <path> ...", "set how many replicas files have"
    ),
    "chmod": _row(
        "attributes:chmod", "[-R] <MODE[,MODE]... | OCTALMODE> PATH...", "change permissions"
    ),
    "chown": _row(
        "attributes:chown", "[-R] [OWNER][:[GROUP]] PATH...", "change owners and groups"
    ),
    "chgrp": _row("attributes:chgrp", "[-R] GROUP PATH...", "change groups"),
    # Bytes in and out.
    "put": _row("transfer:put", _PUT, "store local files, or with - standard input"),
    "copyFromLocal": _row("transfer:put", _PUT, "the same as put"),
    "moveFromLocal": _row(
        "transfer:move_from_local", "[-f] [-p] [-l] [-d] <localsrc> ... <dst>",
        "put, then delete the local files",
    ),
    "get": _row(
        "transfer:get", _GET, "fetch files; without a local name, to standard output"
    ),
    "copyToLocal": _row("transfer:get", _GET, "fetch files, always into local files"),
    "moveToLocal": _row(
        "transfer:move_to_local", "<src> <localdst>", "not implemented in HDFS"
    ),
    "getmerge": _row(
        "contents:getmerge", "[-nl] [-skip-empty-file] <src> <localdst>",
        "fetch the files of directories into one local file",
    ),
    "cp": _row(
        "transfer:cp",
        "[-f] [-p | -p[topax]] [-d] [-t <thread count>] [-q <thread pool queue size>] "
        "<src> ... <dst>",
        "copy files and trees",
    ),
    "cat": _row("contents:cat", "[-ignoreCrc] <src> ...", "write files to standard output"),
    "text": _row("contents:text", "[-ignoreCrc] <src> ...", "cat that unpacks compressed files"),
    "checksum": _row(
        "contents:checksum", "[-v] <src> ...", "show HDFS's checksums of files"
    ),
    "head": _row("contents:head", "<file>", "write the first kilobyte of a file"),
    "tail": _row(
        "contents:tail", "[-f] [-s <sleep interval>] <file>", "write the last kilobyte of a file"
    ),
    # Files that grow and shrink.
    "appendToFile": _row(
        "rewriting:append_to_file", "[-n] <localsrc> ... <dst>",
        "write local files, or with - standard input, behind the end of a file",
    ),
    "truncate": _row(
        "rewriting:truncate", "[-w] <length> <path> ...", "cut files off at a length"
    ),
    "concat": _row(
        "rewriting:concat", "<target path> <src path> <src path> ...",
        "move the content of files to the end of another, without copying",
    ),
    # The cluster.
    "report": _row(
        "administration:report",
        "[-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance]",
        "show capacity, health and every datanode", "dfsadmin",
    ),
    "safemode": _row(
        "administration:safemode", "<enter | leave | get | wait | forceExit>",
        "ask whether changes are refused, and switch that", "dfsadmin",
    ),
    "printTopology": _row(
        "administration:print_topology", "", "show the racks and their datanodes", "dfsadmin"
    ),
    "setQuota": _row(
        "quotas:set_quota", "<quota> <dirname>...<dirname>",
        "limit the files and directories in a tree", "dfsadmin",
    ),
    "clrQuota": _row(
        "quotas:clear_quota", "<dirname>...<dirname>", "lift the limit of names", "dfsadmin"
    ),
    "setSpaceQuota": _row(
        "quotas:set_space_quota", "<quota> [-storageType <storagetype>] <dirname>...<dirname>",
        "limit the bytes of a tree, all replicas counted", "dfsadmin",
    ),
    "clrSpaceQuota": _row(
        "quotas:clear_space_quota", "[-storageType <storagetype>] <dirname>...<dirname>",
        "lift the limit of bytes", "dfsadmin",
    ),
    "saveNamespace": _row(
        "administration:save_namespace", "[-beforeShutdown]",
        "make the record of the namespace compact, in safe mode", "dfsadmin",
    ),
    "refreshNodes": _row(
        "administration:refresh_nodes", "",
        "read again which datanodes belong to the cluster", "dfsadmin",
    ),
    "metasave": _row(
        "administration:metasave", "<filename>",
        "write what the namenode has still to do into a file of its directory", "dfsadmin",
    ),
    "listOpenFiles": _row(
        "administration:list_open_files", "[-blockingDecommission] [-path <path>]",
        "show the files that are being written", "dfsadmin",
    ),
    "triggerBlockReport": _row(
        "administration:trigger_block_report", "[-incremental] <datanode_host:port>",
        "have a datanode report all its blocks", "dfsadmin",
    ),
    "getDatanodeInfo": _row(
        "administration:get_datanode_info", "<datanode_host:port>",
        "show for how long a datanode runs, and which release", "dfsadmin",
    ),
    "getconf": _row(
        "configuration:getconf",
        "[-namenodes] [-nnRpcAddresses] [-secondaryNameNodes] [-includeFile] [-excludeFile] "
        "[-confKey <key>]",
        "show settings of config.ini", "getconf",
    ),
    "fsck": _row(
        "fsck:fsck",
        "<path> [-list-corruptfileblocks | [-move | -delete | -openforwrite] [-files [-blocks "
        "[-locations | -racks | -replicaDetails]]]] [-includeSnapshots] [-storagepolicies] "
        "[-showprogress] [-maintenance] [-upgradedomains] "
        "[-blockId <blk_Id> ...] [-replicate]",
        "check that the blocks of a tree are all there", "fsck",
    ),
    "groups": _row(
        "inquiries:groups", "[<user> ...]",
        "show the groups that the namenode finds for users", "groups",
    ),
    # This shell.
    "help": _row("guide:help_command", "[cmd ...]", "explain commands"),
    "usage": _row("guide:usage_command", "[cmd ...]", "show how commands are called"),
}

DEPRECATED = {"lsr": "ls -R", "dus": "du -s", "rmr": "-rm -r"}
"""Old names, and what they stand for, as HDFS writes it."""

TOOLS = ("dfs", "fs", "dfsadmin", "admin")
"""First words that HDFS's users type, and that are not needed here."""
