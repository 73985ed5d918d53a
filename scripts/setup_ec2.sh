#!/bin/sh
# Prepare a machine to run daemons of a cluster: Python, a virtual environment, the project in it,
# and a cluster key. Amazon Linux 2023, Debian 11, Ubuntu 22.04 or newer; on EC2 or elsewhere.
#
#     ./scripts/setup_ec2.sh                 prepare, then say what to do next
#     ./scripts/setup_ec2.sh --systemd ROLE  besides, make ROLE a service that starts at boot:
#                                            zookeeper, metadata, metadata_1, data_node_0,
#                                            whatever config.ini lists
#
# Run it on every machine, from a copy of the repository. Nothing is started by it.
set -eu

here=$(CDPATH="" cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
root=$(dirname -- "$here")
key=$root/data/cluster.key
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo

install_python() {
    if command -v dnf >/dev/null; then
        $as_root dnf install -y python3 python3-pip
    elif command -v yum >/dev/null; then
        $as_root yum install -y python3 python3-pip
    elif command -v apt-get >/dev/null; then
        $as_root apt-get update
        $as_root apt-get install -y python3 python3-venv
    else
        echo "Neither dnf, yum nor apt-get is here: install Python 3.9 or newer yourself." >&2
        exit 1
    fi
}

make_key() {
    mkdir -p "$(dirname -- "$key")"
    # Made unreadable for others before the first byte is in it.
    (umask 077 && head -c 48 /dev/urandom | base64 >"$key")
    chmod 600 "$key"
}

# What the system's own Python is too old for is said before anything is installed.
refuse_old_systems() {
    about=${OS_RELEASE:-/etc/os-release}
    [ -r "$about" ] || return 0
    system=$(. "$about" && echo "${ID:-} ${VERSION_ID:-}")
    case $system in
        "amzn 2" | "amzn 2018"* | "ubuntu 20."* | "ubuntu 18."* | "debian 10" | "debian 9" | \
            "centos 7" | "rhel 7"* | "rhel 8"* | "rocky 8"* | "almalinux 8"*)
            echo "The Python of $system is older than 3.9. Use Amazon Linux 2023, Debian 11," \
                "Ubuntu 22.04 or newer, or install a newer Python and name it:" \
                "PYTHON=/path/to/python3 $0" >&2
            exit 1 ;;
    esac
}

describe() {
    (cd "$root" && PYHDFS_CONFIG="$root/config.ini" \
        .venv/bin/python -m scripts.supervision.systemd_unit "$@")
}

make_service() {
    unit=$(describe unit "$1" "$(id -un)") || exit
    name=$(describe service "$1") || exit
    describe directories "$1" | while IFS= read -r directory; do
        [ -e "$directory" ] || {
            $as_root mkdir -p -- "$directory"
            $as_root chown "$(id -u):$(id -g)" -- "$directory"
            echo "made $directory: if a disk belongs there, mount it before the service starts"
        }
    done
    printf '%s\n' "$unit" | $as_root tee "/etc/systemd/system/$name.service" >/dev/null
    $as_root systemctl daemon-reload
    $as_root systemctl enable "$name"
    echo "$name starts at boot; now: $as_root systemctl start $name"
}

case ${1:-} in
    "") [ $# = 0 ] ;;
    --systemd) [ $# = 2 ] ;;
    *) false ;;
esac || {
    echo "usage: setup_ec2.sh [--systemd ROLE], such as name_node, name_node_1, data_node_0" >&2
    exit 2
}

python=${PYTHON:-python3}
if ! "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))' 2>/dev/null
then
    refuse_old_systems
    install_python
fi
"$here/python" "" -c ""
[ -e "$key" ] || make_key
[ $# = 0 ] || make_service "$2"

cat <<END

This machine is prepared. What is left, once for the cluster:

1. One config.ini for all machines ($root/config.ini). Replace localhost by names or addresses
   that every machine and every client can reach; a public address is fine, the daemon behind it
   listens on all interfaces then. Each machine's disks are its datanode's. (With three machines the
   loss of any one is survived, when these lines name all of them: see the README.)

       [zookeeper]
       zookeeper_hosts = 10.0.0.1:18861
       [metadata]
       metadata_hosts = 10.0.0.1:18005
       [name_node]
       name_node_hosts = 10.0.0.1:1800
       [data_node]
       data_node_hosts = 10.0.0.2:1801, 10.0.0.3:1801
       data_node_dir_1801 = /mnt/pyhdfs
       [security]
       mode = secret
       key_file = data/cluster.key
       old_key_file = data/cluster.key.old
       revoked_file = data/revoked

2. A key for each machine. One was made here, readable by you alone, if there was none:

       $key

   That of the namenode's machine is the cluster's, and stays there. From it make one for each
   datanode, and put it in that place on its machine, in the stead of what was made there:

       .venv/bin/pyhdfs issueKey -o data/node0.key --datanode 0
       scp -p data/node0.key 10.0.0.2:$key

   A machine with several daemons and no namenode has one file for all of them:
   issueKey -o data/node2.key --datanode 2 --zookeeper --metadata

3. The security group: these ports open among the machines, and to clients; to nobody else.

4. Start the daemons, in any order: each on its machine, in a terminal

       .venv/bin/python zookeeper/zk.py                  0; or 1: the second zookeeper
       .venv/bin/python metadata_service/metadata.py     0; or 1: the second one
       .venv/bin/python data_service/name_node.py        0, or 1 for the second one, which stands by
       .venv/bin/python data_service/data_node.py 0      the first one of data_node_hosts
       .venv/bin/python data_service/data_node.py 1      the second one, …

   or all those of this machine in the background

       .venv/bin/python scripts/cluster.py start         [--this-host PUBLIC_ADDRESS]

   or as services: ./scripts/setup_ec2.sh --systemd data_node_0

5. From any machine with this config.ini, and a key of yours in ~/.pyhdfs/key, which
   .venv/bin/pyhdfs issueKey NAME prints: .venv/bin/pyhdfs put FILE /FILE
END
