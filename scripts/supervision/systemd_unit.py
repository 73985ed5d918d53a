"""A systemd service for one daemon of config.ini: its unit, and the directories that it needs.

    python -m scripts.supervision.systemd_unit unit ROLE USER      the unit's text
    python -m scripts.supervision.systemd_unit directories ROLE    one a line
    python -m scripts.supervision.systemd_unit service ROLE        its name, one for each daemon

Used by scripts/setup_ec2.sh. The exit status is 2 for a role that config.ini does not have.
"""

import re
import sys
from typing import List, Tuple

from scripts.supervision.daemons import ROOT, Kind, configured, role_of
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.settings import Address, Settings, load

UNIT = """\
[Unit]
Description=PyHDFS {role} {address}
After=network-online.target
Wants=network-online.target
# What it needs may come later than this machine: it is tried again for as long as it takes.
StartLimitIntervalSec=0

[Service]
User={user}
WorkingDirectory={folder}
ExecStart={command}
Restart=on-failure
RestartSec=5
# A wrong config.ini does not become right by itself.
RestartPreventExitStatus=2
TimeoutStopSec=60
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def find(settings: Settings, role: str) -> Tuple[Kind, int, Address]:
    """The daemon of this role, on whatever machine it is. Raises SettingsError."""
    found = {role_of(kind, index): (kind, index, at) for kind, index, at in configured(settings)}
    # The first of several has a number, too, where people see it.
    numbered = {f"{kind.name}_{index}": (kind, index, at) for kind, index, at in found.values()}
    if role in numbered:
        return numbered[role]
    if role not in found:
        raise SettingsError(
            f"{settings.path}: found no {role}, expected one of: {', '.join(found)}"
        )
    return found[role]


def unit(settings: Settings, role: str, user: str) -> str:
    """The text of the service's unit. Raises SettingsError."""
    kind, index, address = find(settings, role)
    words = [str(ROOT / ".venv" / "bin" / "python"), str(ROOT / kind.launcher)]
    words += [str(index), "--config", settings.path]
    return UNIT.format(
        role=role_of(kind, index),
        address=address,
        user=user,
        folder=str(ROOT).replace("%", "%%"),
        command=" ".join(map(quoted, words)),
    )


def service(settings: Settings, role: str) -> str:
    """The name of the service, however the role is written. Raises SettingsError."""
    kind, index, _ = find(settings, role)
    return f"pyhdfs-{role_of(kind, index)}"


def quoted(word: str) -> str:
    """A word as systemd reads it back: in quotes, with what it would replace doubled."""
    escaped = re.sub(r'[\\"]', lambda mark: "\\" + mark.group(), word)
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def directories(settings: Settings, role: str) -> List[str]:
    """Where this daemon keeps what it owns. Raises SettingsError."""
    kind, _, address = find(settings, role)
    return {
        "zookeeper": [settings.zookeeper.directory_of(address)],
        "metadata": [settings.metadata.directory_of(address)],
        "name_node": [settings.name_node.name_node_dir],
        "data_node": list(settings.data_node.directories_of(address)),
        "gateway": [],
    }[kind.name]


def main(argv: List[str]) -> int:
    """The exit status."""
    try:
        settings = load()
        if len(argv) == 3 and argv[0] == "unit":
            print(unit(settings, argv[1], argv[2]), end="")
        elif len(argv) == 2 and argv[0] == "directories":
            print("\n".join(directories(settings, argv[1])))
        elif len(argv) == 2 and argv[0] == "service":
            print(service(settings, argv[1]))
        else:
            print("usage: systemd_unit unit ROLE USER | directories ROLE | service ROLE",
                  file=sys.stderr)
            return 2
    except SettingsError as error:
        print(f"systemd_unit: {error.message}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
