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
    """The row of a command whose function is at `place`: a module, and what it is called there
    when that is another name."""
    module, _, function = place.partition(":")
    name = f"data_service.shell.commands.{module}"
    return Command(name, function or module, usage, summary, tool)


_PUT = "[-f] [-p] [-l] [-d] [-t <thread count>] [-q <thread pool queue size>] <localsrc> ... <dst>"
_GET = (
    "[-f] [-p] [-crc] [-ignoreCrc] [-t <thread count>] [-q <thread pool queue size>] "
    "<src> ... <localdst>"
)

COMMANDS: Dict[str, Command] = {
    # What is there.
    "ls": _row(
        "ls",
        "[-C] [-d] [-h] [-q] [-R] [-t] [-S] [-r] [-u] [-e] [<path> ...]",
        "list files and directories",
    ),
    "stat": _row(
        "stat", "[format] <path> ...", "show facts in a format of your own"
    ),
    "find": _row(
        "find", "<path> ... <expression> ...", "print the paths whose names match"
    ),
    "test": _row("test", "-[defswrz] <path>", "answer a question by the exit status"),
    # How much there is.
    "du": _row(
        "du", "[-s] [-h] [-v] [-x] <path> ...", "show the sizes of files and trees"
    ),
    "df": _row("df", "[-h] [<path> ...]", "show the room in the file system"),
    "count": _row(
        "count",
        "[-q] [-h] [-v] [-t [<storage type>]] [-u] [-x] [-e] [-s] <path> ...",
        "count directories, files and bytes",
    ),
    # Names.
    "mkdir": _row("mkdir", "[-p] <path> ...", "make directories"),
    "touchz": _row("touch:touchz", "<path> ...", "make empty files"),
    "mv": _row("mv", "<src> ... <dst>", "rename, or move into a directory"),
    "rm": _row(
        "rm",
        "[-f] [-r|-R] [-skipTrash] [-safely] <src> ...",
        "delete files, with -r trees",
    ),
    "rmdir": _row(
        "rmdir", "[--ignore-fail-on-non-empty] <dir> ...", "delete empty directories"
    ),
    "expunge": _row(
        "expunge", "[-immediate] [-fs <path>]", "empty the trash of what is old"
    ),
    # Attributes.
    "touch": _row(
        "touch", "[-a] [-m] [-t TIMESTAMP (yyyyMMdd:HHmmss) ] [-c] <path> ...",
        "set times, and make missing files",
    ),
    "setrep": _row(
        "setrep", "[-R] [-w] <rep> <path> ...", "set how many replicas files have"
    ),
    "chmod": _row(
        "chmod", "[-R] <MODE[,MODE]... | OCTALMODE> PATH...", "change permissions"
    ),
    "chown": _row(
        "chown", "[-R] [OWNER][:[GROUP]] PATH...", "change owners and groups"
    ),
    "chgrp": _row("chown:chgrp", "[-R] GROUP PATH...", "change groups"),
    # Bytes in and out.
    "put": _row("put", _PUT, "store local files, or with - standard input"),
    "copyFromLocal": _row("put", _PUT, "the same as put"),
    "moveFromLocal": _row(
        "put:move_from_local", "[-f] [-p] [-l] [-d] <localsrc> ... <dst>",
        "put, then delete the local files",
    ),
    "get": _row(
        "get", _GET, "fetch files; without a local name, to standard output"
    ),
    "copyToLocal": _row("get", _GET, "fetch files, always into local files"),
    "moveToLocal": _row(
        "get:move_to_local", "<src> <localdst>", "not implemented in HDFS"
    ),
    "getmerge": _row(
        "getmerge", "[-nl] [-skip-empty-file] <src> <localdst>",
        "fetch the files of directories into one local file",
    ),
    "cp": _row(
        "cp",
        "[-f] [-p | -p[topax]] [-d] [-t <thread count>] [-q <thread pool queue size>] "
        "<src> ... <dst>",
        "copy files and trees",
    ),
    "cat": _row("cat", "[-ignoreCrc] <src> ...", "write files to standard output"),
    "text": _row("text", "[-ignoreCrc] <src> ...", "cat that unpacks compressed files"),
    "checksum": _row(
        "checksum", "[-v] <src> ...", "show HDFS's checksums of files"
    ),
    "head": _row("head", "<file>", "write the first kilobyte of a file"),
    "tail": _row(
        "tail", "[-f] [-s <sleep interval>] <file>", "write the last kilobyte of a file"
    ),
    # Files that grow and shrink.
    "appendToFile": _row(
        "append_to_file", "[-n] <localsrc> ... <dst>",
        "write local files, or with - standard input, behind the end of a file",
    ),
    "truncate": _row(
        "truncate", "[-w] <length> <path> ...", "cut files off at a length"
    ),
    "concat": _row(
        "concat", "<target path> <src path> <src path> ...",
        "move the content of files to the end of another, without copying",
    ),
    # The cluster.
    "report": _row(
        "report",
        "[-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance]",
        "show capacity, health and every datanode", "dfsadmin",
    ),
    "safemode": _row(
        "safemode", "<enter | leave | get | wait | forceExit>",
        "ask whether changes are refused, and switch that", "dfsadmin",
    ),
    "printTopology": _row(
        "print_topology", "", "show the racks and their datanodes", "dfsadmin"
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
        "save_namespace", "[-beforeShutdown]",
        "make the record of the namespace compact, in safe mode", "dfsadmin",
    ),
    "backup": _row(
        "backup", "<localdir>",
        "copy the record of the namespace into a local directory, while it is used", "dfsadmin",
    ),
    "refreshNodes": _row(
        "refresh_nodes", "",
        "read again whose keys are void, and send them away", "dfsadmin",
    ),
    "metasave": _row(
        "metasave", "<filename>",
        "write what the namenode has still to do into a file of its directory", "dfsadmin",
    ),
    "listOpenFiles": _row(
        "list_open_files", "[-blockingDecommission] [-path <path>]",
        "show the files that are being written", "dfsadmin",
    ),
    "triggerBlockReport": _row(
        "datanodes:trigger_block_report", "[-incremental] <datanode_host:port>",
        "have a datanode report all its blocks", "dfsadmin",
    ),
    "getDatanodeInfo": _row(
        "datanodes:get_datanode_info", "<datanode_host:port>",
        "show for how long a datanode runs, and which release", "dfsadmin",
    ),
    "issueKey": _row(
        "issue_key",
        "[-o <file>] <user> | --gateway <name> | [--datanode <index>] [--zookeeper] [--metadata] | "
        "--web [<user>]",
        "write a key file, made from the key of the cluster", "dfsadmin",
    ),
    "fetchdt": _row(
        "fetchdt", "[--renewer <name> | --renew | --cancel | --print] <token file>",
        "let others act for you, by a delegation token", "fetchdt",
    ),
    "getconf": _row(
        "getconf",
        "[-namenodes] [-nnRpcAddresses] [-secondaryNameNodes] [-includeFile] [-excludeFile] "
        "[-confKey <key>]",
        "show settings of config.ini", "getconf",
    ),
    "fsck": _row(
        "fsck",
        "<path> [-list-corruptfileblocks | [-move | -delete | -openforwrite] [-files [-blocks "
        "[-locations | -racks | -replicaDetails]]]] [-includeSnapshots] [-storagepolicies] "
        "[-showprogress] [-maintenance] [-upgradedomains] "
        "[-blockId <blk_Id> ...] [-replicate]",
        "check that the blocks of a tree are all there", "fsck",
    ),
    "haadmin": _row(
        "haadmin",
        "[-getServiceState <id>] [-getAllServiceState] [-checkHealth <id>] "
        "[-failover [--forceactive] <id> <id>] [-members] [-verify]",
        "ask which namenode leads, have another one lead, see and compare the metadata services",
        "haadmin",
    ),
    "groups": _row(
        "groups", "[<user> ...]",
        "show the groups that the namenode finds for users", "groups",
    ),
    # This shell.
    "help": _row("help:help_command", "[cmd ...]", "explain commands"),
    "usage": _row("help:usage_command", "[cmd ...]", "show how commands are called"),
}

DEPRECATED = {"lsr": "ls -R", "dus": "du -s", "rmr": "-rm -r"}
"""Old names, and what they stand for, as HDFS writes it."""

TOOLS = ("dfs", "fs", "dfsadmin", "admin")
"""First words that HDFS's users type, and that are not needed here."""
