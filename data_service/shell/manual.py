"""What `help` says of commands besides their summary."""

from typing import Dict, Tuple

GENERIC_OPTIONS: Tuple[str, ...] = (
    "Generic options, before the command:",
    "  --config FILE     use this config.ini, not $PYHDFS_CONFIG or the default one",
    "  -D name=value     dfs.replication, dfs.blocksize, fs.permissions.umask-mode of new files,",
    "                    fs.trash.interval, hadoop.shell.delete.limit.num.files, fs.defaultFS",
    "  -fs URI           what paths without a scheme belong to: this cluster, or file:///",
    "ls, stat, du, df, count, report and fsck take --json: their answer for a program.",
)

_COPY = """
More than one source needs an existing directory as the destination; directories are copied whole.
-f  overwrite files that exist
-t  copy so many files at once
"""

DETAILS: Dict[str, str] = {
    "ls": """
Without a path, the home directory /user/<user> is listed.
-C  paths only
-d  directories themselves, not what is in them
-h  sizes for people: 2.9 M
-q  ? for characters that cannot be printed
-R  whole trees, always in the order of names
-t  newest first
-S  largest first
-r  in reverse order
-u  time of last access, for display and order
-e  how files are made redundant
""",
    "stat": """
%a mode in octal, %A in letters, %b bytes, %F type, %g group, %n name, %o block size,
%r replication, %u owner, %x and %X time of access (date, milliseconds), %y and %Y of change.
Without a format, %y.
-R  whole trees
""",
    "find": """
-name PATTERN, -iname PATTERN   the last component matches; -iname ignores case
-print, -print0                 print the path, and a newline or a NUL character
-a, -and, or nothing            both sides hold
""",
    "test": """
-d  is a directory     -e  exists           -f  is a file
-s  is not empty       -z  is empty         -r, -w  may be read, written
""",
    "du": """
Columns: size, size with all replicas, path. Directories are shown one level deep.
-s  one line for each argument
-h  sizes for people: 2.9 M
-v  a header
-x  without snapshots
""",
    "df": "-h  sizes for people: 2.9 M",
    "setQuota": """
The directory itself counts, so a quota of 1 keeps it empty. A quota below what is there now is
no error: nothing can be added. The superuser sets quotas.
""",
    "setSpaceQuota": """
A file of 1 GB with three replicas takes 3 GB. The quota may have a binary prefix, such as 50t;
0 still lets in empty files. A new block must fit as a whole, whatever will be written to it.
""",
    "count": """
Columns: directories, files, bytes, path. A directory counts itself.
-q  quotas in front      -u  quotas only        -t  quotas of these storage types
-h  sizes for people     -v  a header           -e  how files are made redundant
-x, -s  without snapshots, only snapshots
""",
    "mkdir": "-p  make missing directories above, too; an existing one is no error",
    "appendToFile": """
The destination is made when it is missing. `-` as the only source is standard input.
Readers see all of it or nothing: when a source fails, the file is as it was.
-n  begin a new block, which is done in any case
""",
    "truncate": """
A file is never made longer. Readers see the old content or the new.
-w  wait until it is done, which is so in any case
""",
    "concat": """
All files are in one directory, and none is being written. The sources are gone afterwards.
""",
    "mv": "Never overwrites. Several sources need an existing directory.",
    "rm": """
-f          what is missing is no error
-r, -R      directories with all that is in them
-skipTrash  delete at once, where there is a trash (trash_minutes, or -D fs.trash.interval)
-safely     ask before very many files go
""",
    "expunge": """
What rm moved to the trash becomes a checkpoint; checkpoints older than the trash keeps go.
-immediate  all checkpoints go, whatever their age
""",
    "rmdir": "--ignore-fail-on-non-empty  a directory that is not empty is no error",
    "put": _COPY
    + """
Missing directories of the destination are made. `-` as the only source is standard input.
-p  keep times, owner, group and mode
-l  one replica only
-d  accepted; a file is never seen before it is complete
""",
    "get": _COPY
    + """
Without a local name the bytes go to standard output (at the prompt: to a file of that name).
-p    keep times, mode and, for root, the owner
-crc  also write .name.crc, the checksums of every 512 bytes
-ignoreCrc  where no replica is good, take the bytes of a damaged one as they are
""",
    "cp": _COPY
    + """
-p  keep times, owner, group and mode; -pt, -po, -pp keep only one of these
-d  accepted; a file is never seen before it is complete
""",
    "touch": """
-a  only the time of access      -m  only the time of change
-t  this time, not the present   -c  make no files
""",
    "setrep": """
Trees are done whole.
-w  wait until every block has just so many replicas
""",
    "chmod": """
MODE is octal, such as 750 or 1777, or clauses such as u+rw,go-x: of u, g, o and a (all),
+, - or =, and of r, w, x, X (x for directories and what has an x already) and t (sticky).
-R  whole trees
""",
    "chown": "-R  whole trees",
    "chgrp": "-R  whole trees",
    "getmerge": """
-nl               a newline after every file
-skip-empty-file  but not after empty ones
""",
    "text": "Unpacks gzip, .bz2 and .deflate.",
    "tail": """
-f  go on with what is added to the file
-s  look again after so many milliseconds (5000)
""",
    "checksum": """
Columns: path, algorithm, checksum. Files with the same bytes in blocks of one size have one.
-v  the block size, too
""",
    "report": "-live, -dead, …  only these datanodes",
    "safemode": """
get       say whether it is on
enter     switch it on: reads work, changes are refused
leave     switch it off
wait      wait until it is off
forceExit  switch it off, also while blocks are missing
""",
    "saveNamespace": """
The record is durable at any moment; this copies the metadata service's log into its database and
compares a sample of it with its checksums. Its next start has no log to read.
""",
    "refreshNodes": """
The list is revoked_file of config.ini, a line for each: user:alice, or data_node:HOST:PORT, for
ever, or of keys that were issued before a moment: user:alice 2026-11-27T18:00:00Z.
""",
    "issueKey": """
Whoever can read the cluster's key (key_file) can issue others, whether the cluster runs or not.
-o           into this file, which only its owner can read; else to standard output
--datanode   for the one of this index in data_node_hosts
--gateway    for one that acts for users
--zookeeper, --metadata  for these daemons; a namenode needs the key of the cluster itself
The last three go together: one file for all daemons of a machine.
--web        a user's key as one word, the password for the web gateway: his own, from his key file
A user keeps his in ~/.pyhdfs/key, or where $PYHDFS_KEY_FILE says; a daemon where key_file says.
""",
    "fetchdt": """
Without an option a token is got, into this file, which only its owner can read.
--renewer    the user who may prolong it; else nobody may
--renew      prolong the one in the file, for a day
--cancel     make it void
--print      tell what it says
Who has it may act for you, a week at most: curl with delegation=TOKEN, programs with ByToken.
""",
    "metasave": "The file lies in name_node_dir, on the machine of the namenode.",
    "listOpenFiles": "-path  only files below this one",
    "getconf": """
-confKey      one setting, by HDFS's name (dfs.replication) or ours (name_node.dead_seconds)
-namenodes    the hosts of the namenodes
-nnRpcAddresses  with their ports
""",
    "fsck": """
-files        every file and directory
-blocks       and its blocks
-locations    and where they are      -racks  and on which racks
-replicaDetails  and how each replica is
-openforwrite    check files that are being written, too
-move         copy what can be read of damaged files to /lost+found
-delete       delete the files of which bytes are lost
-storagepolicies  how many blocks are on which types of storage (there is one type, one policy)
-showprogress, -maintenance, -upgradedomains  accepted: no node is in maintenance or has a domain
-replicate    copy blocks that are on one rack only to another
-list-corruptfileblocks  only the lost blocks and their files
-blockId      what is known of these blocks, such as blk_1073741825
The exit status is 1 when bytes are lost (255 with -list-corruptfileblocks).
""",
}
