#!/bin/sh
# Prepare a machine (Amazon Linux or Debian/Ubuntu, on EC2 or elsewhere) to run daemons of a
# cluster: Python, a virtual environment, the project in it, and a cluster key.
#
#     ./scripts/setup_ec2.sh                 prepare, then say what to do next
#     ./scripts/setup_ec2.sh --systemd ROLE  besides, make ROLE a service that starts at boot:
#                                            zookeeper, metadata, name_node, data_node_0, …
#
# Run it on every machine, from a copy of the repository. Nothing is started by it.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
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

command_of() {
    case $1 in
        zookeeper) echo "zookeeper/zk.py" ;;
        metadata) echo "metadata_service/metadata.py" ;;
        name_node) echo "data_service/name_node.py" ;;
        data_node_*[!0-9]* | data_node_) return 1 ;;
        data_node_*) echo "data_service/data_node.py ${1#data_node_}" ;;
        *) return 1 ;;
    esac
}

make_service() {
    if ! command=$(command_of "$1"); then
        echo "$1 is no role: zookeeper, metadata, name_node, data_node_0, data_node_1, …" >&2
        exit 2
    fi
    $as_root tee "/etc/systemd/system/pyhdfs-$1.service" >/dev/null <<END
[Unit]
Description=PyHDFS $1
After=network-online.target
Wants=network-online.target

[Service]
User=$(id -un)
WorkingDirectory=$root
ExecStart=$root/.venv/bin/python $command --config $root/config.ini
Restart=on-failure
TimeoutStopSec=60
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
END
    $as_root systemctl daemon-reload
    $as_root systemctl enable "pyhdfs-$1"
    echo "pyhdfs-$1 starts at boot; now: $as_root systemctl start pyhdfs-$1"
}

case ${1:-} in
    "") [ $# = 0 ] ;;
    --systemd) [ $# = 2 ] && command_of "$2" >/dev/null ;;
    *) false ;;
esac || {
    echo "usage: setup_ec2.sh [--systemd zookeeper|metadata|name_node|data_node_N]" >&2
    exit 2
}

python=${PYTHON:-python3}
"$python" -c 'import ensurepip, venv' 2>/dev/null || install_python
"$here/python" "" -c ""
[ -e "$key" ] || make_key
[ $# = 0 ] || make_service "$2"

cat <<END

This machine is prepared. What is left, once for the cluster:

1. One config.ini for all machines ($root/config.ini). Replace localhost by names or addresses
   that every machine and every client can reach; a public address is fine, the daemon behind it
   listens on all interfaces then. Each machine's disks are its datanode's:

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

2. One key for all machines. One was made here, readable by you alone, if there was none:

       $key

   Copy it from the first machine to the same place on the others, and keep it private:

       scp -p $key 10.0.0.2:$key

3. The security group: these ports open among the machines, and to clients; to nobody else.

4. Start the daemons, in any order: each on its machine, in a terminal

       .venv/bin/python zookeeper/zk.py
       .venv/bin/python metadata_service/metadata.py
       .venv/bin/python data_service/name_node.py
       .venv/bin/python data_service/data_node.py 0      the first one of data_node_hosts
       .venv/bin/python data_service/data_node.py 1      the second one, …

   or all those of this machine in the background

       .venv/bin/python scripts/cluster.py start         [--this-host PUBLIC_ADDRESS]

   or as services: ./scripts/setup_ec2.sh --systemd data_node_0

5. From any machine with this config.ini and the key: .venv/bin/pyhdfs put FILE /FILE
END
