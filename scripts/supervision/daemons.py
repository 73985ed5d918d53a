"""The daemons of config.ini that belong on this machine, and the records of those that run.

A record is a file `ROLE.pid` in the run folder. It holds what tells the process from a later one
with the same number, and the address that it was started for: a line that leaves config.ini
changes the numbers of those behind it, and what a process is does not change with them.
"""

import itertools
import json
import os
import sys
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from scripts.supervision.processes import (
    Listener,
    addresses_of,
    command_of,
    identity,
    is_of_this_machine,
    listener_at,
)
from zookeeper.fabric.identity import GATEWAY
from zookeeper.fabric.settings import (
    Address,
    DataNodeSettings,
    MetadataSettings,
    NameNodeSettings,
    Settings,
    ZooKeeperSettings,
)

ROOT = Path(__file__).resolve().parents[2]

LOG_OPTION = "--log-file"

class Failure(Exception):
    """What the script says in its last line before it exits with status 1."""


def say(sentence: str) -> None:
    """Tell the person what is not as it should be."""
    print(f"cluster: {sentence}", file=sys.stderr, flush=True)


class Kind(NamedTuple):
    """A kind of daemon: its launcher, its installed command, whom it needs to be of use."""

    name: str
    launcher: str
    command: str
    needs: Tuple[str, ...]

    def is_run_by(self, words: Sequence[str]) -> bool:
        """Whether these are the words of a process of this kind, however it was started."""
        module = self.launcher[: -len(".py")].replace("/", ".")
        names = {Path(self.launcher).name, self.command}
        return any(word == module or Path(word).name in names for word in words)


KINDS = (
    Kind("zookeeper", "zookeeper/zk.py", "pyhdfs-zookeeper", ()),
    Kind("metadata", "metadata_service/metadata.py", "pyhdfs-metadata", ()),
    Kind("name_node", "data_service/name_node.py", "pyhdfs-name-node",
         ("zookeeper", "metadata")),
    Kind("data_node", "data_service/data_node.py", "pyhdfs-data-node", ("name_node",)),
    Kind("gateway", "data_service/web_gateway.py", "pyhdfs-web-gateway", ()),
)  # fmt: skip
"""In the order in which they depend on each other."""


class Record(NamedTuple):
    """A process that was started: its number, what only it has, and what it was started for."""

    pid: int
    identity: str
    address: str = ""
    ready: bool = False

    @property
    def lives(self) -> bool:
        """Whether the process still is the one that was started."""
        return bool(self.identity) and identity(self.pid) == self.identity


class Daemon:
    """One daemon on this machine: what starts it, and what is on record of it."""

    def __init__(
        self, kind: Kind, index: int, address: str, stem: Path, role: str = ""
    ) -> None:
        """`stem` names the record and the log, and also the daemon when it has no role."""
        self.kind = kind
        self.index = index
        self.address = address
        self.role = role or stem.name
        self.log_path = stem.with_name(f"{stem.name}.log")
        self.orphan: Optional[Record] = None
        """The process, when it is known by its log only."""
        self.page = ""
        """Where a browser finds it, if it is for browsers."""
        self._record_path = stem.with_name(f"{stem.name}.pid")

    def record(self) -> Optional[Record]:
        """The process of this daemon, if it still is the one that was started."""
        for record in (self._written(), self.orphan):
            if record and record.lives:
                # Who can write a record must not be able to point it at a stranger.
                words = command_of(record.pid)
                log = log_of(words)
                ours = log is None or log.parent == self.log_path.parent
                if ours and self.kind.is_run_by(words):
                    return record
        return None

    def _written(self) -> Optional[Record]:
        try:
            record = Record(*json.loads(self._record_path.read_text("utf-8")))
            return record if int(record.pid) > 0 else None
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, record: Record) -> None:
        """Write the record, whole or not at all. Raises OSError."""
        beside = self._record_path.with_suffix(".new")
        beside.write_text(json.dumps(record), "utf-8")
        os.replace(beside, self._record_path)

    def forget(self) -> None:
        """Remove the record of a process that has ended."""
        self._record_path.unlink(missing_ok=True)

    def command(self, settings: Settings) -> List[str]:
        """The words that start the process."""
        words = [sys.executable, str(ROOT / self.kind.launcher), str(self.index)]
        words += ["--config", settings.path] if settings.path else []
        return words + [LOG_OPTION, str(self.log_path)]


class Site:
    """What belongs on this machine: the daemons of config.ini, and those that have left it."""

    def __init__(self, settings: Settings, own_hosts: Iterable[str] = ()) -> None:
        """`own_hosts` are of this machine, though none of its addresses says so."""
        self.settings = settings
        self.folder = run_folder(settings)
        recorded = {(d.kind.name, d.address): d for d in self._recorded()}
        self.daemons: List[Daemon] = []
        everywhere = configured(settings)
        several = {kind for kind, index, _ in everywhere if index}
        for kind, index, address in everywhere:
            known = recorded.pop((kind.name, str(address)), None)
            # Of several each has a number, also the first: a kind alone would be all of them.
            role = f"{kind.name}_{index}" if kind in several else role_of(kind, index)
            if known:
                known.index, known.role = index, role
            elif address.host in own_hosts or is_of_this_machine(address.host):
                known = Daemon(kind, index, str(address), self._free_stem(kind, index), role)
            if known:
                if kind.name == GATEWAY:
                    known.page = f"http{'s' if settings.security.tls else ''}://{address}/"
                self.daemons.append(known)
        self.left = list(recorded.values())
        """Those that were started here and run, but stand in config.ini no more."""

    def listener(self, daemon: Daemon) -> Optional[Listener]:
        """Who listens where this daemon would."""
        host, _, port = daemon.address.rpartition(":")
        hosts = addresses_of(host.strip("[]")) | addresses_of(self.settings.network.bind_host)
        return listener_at(hosts, int(port))

    def _recorded(self) -> List[Daemon]:
        """Every daemon of which a record tells that it runs."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            names = []  # Not there yet, removed, or another user's.
        stems = {self.folder / name[: -len(".pid")] for name in names if name.endswith(".pid")}
        orphans = self._orphans()
        addresses = {role_of(kind, index): str(a) for kind, index, a in configured(self.settings)}
        found = []
        for stem in sorted(stems | set(orphans)):
            kind = kind_of(stem.name)
            if kind is None:
                continue
            daemon = Daemon(kind, 0, "", stem)
            daemon.orphan = orphans.get(stem)
            record = daemon.record()
            if record:
                # Without a record, and in those of earlier releases, the name has to tell.
                daemon.address = str(record.address or addresses.get(stem.name, "?"))
                found.append(daemon)
        return found

    def _orphans(self) -> Dict[Path, Record]:
        """Those with a log in this folder, or with this config.ini and a log, by its name.

        Their records may have got lost, or lie where the folder was before config.ini changed.
        """
        found: Dict[Path, Record] = {}
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
            words = command_of(pid)
            log = log_of(words)
            if log is None:
                continue
            if log.parent == self.folder or _behind("--config", words) == self.settings.path:
                found[log.with_suffix("")] = Record(pid, identity(pid), ready=True)
        return found

    def _free_stem(self, kind: Kind, index: int) -> Path:
        """A name for log and record; one that has left config.ini may still have the usual."""
        role = role_of(kind, index)
        names = itertools.chain([role], (f"{role}-{more}" for more in itertools.count(2)))
        stems = (self.folder / name for name in names)
        return next(stem for stem in stems if not Daemon(kind, index, "", stem).record())


def configured(settings: Settings) -> List[Tuple[Kind, int, Address]]:
    """Every daemon of config.ini, on whatever machine, with its index."""
    hosts = {
        "zookeeper": settings.zookeeper.hosts,
        "metadata": settings.metadata.hosts,
        "name_node": settings.name_node.hosts,
        "data_node": settings.data_node.hosts,
        "gateway": settings.web.hosts,
    }
    return [
        (kind, index, address)
        for kind in KINDS
        for index, address in enumerate(hosts[kind.name])
    ]


def role_of(kind: Kind, index: int) -> str:
    """As what a daemon's files are known: `name_node` and `name_node_1`, but `data_node_0`."""
    return f"{kind.name}_{index}" if index or kind.name == "data_node" else kind.name


def log_of(words: Sequence[str]) -> Optional[Path]:
    """The log that a daemon in the background writes; None without one, or of another program."""
    log = _behind(LOG_OPTION, words)
    return Path(log) if log and any(kind.is_run_by(words) for kind in KINDS) else None


def _behind(option: str, words: Sequence[str]) -> Optional[str]:
    return words[words.index(option) + 1] if option in words[:-1] else None


def of_unreadable(path: str) -> Settings:
    """What can be known of a config.ini that cannot be read: nothing, but whose processes run."""
    nowhere = Path(path).parent / "data" / "zookeeper"
    return Settings(
        path=path,
        name_node=NameNodeSettings(hosts=()),
        data_node=DataNodeSettings(hosts=()),
        metadata=MetadataSettings(hosts=()),
        zookeeper=ZooKeeperSettings(hosts=(), zookeeper_dir=str(nowhere)),
    )


def kind_of(role: str) -> Optional[Kind]:
    """The kind of a role, or of the name of its record; None when it is none."""
    for kind in KINDS:
        if role == kind.name or role.startswith(f"{kind.name}_"):
            return kind
    return None


def run_folder(settings: Settings) -> Path:
    """Where logs and records of this config file's daemons are."""
    name = Path(settings.path).stem if settings.path else "defaults"
    return Path(settings.zookeeper.zookeeper_dir).parent / "run" / name


def choose(site: Site, words: Sequence[str], data_nodes: Optional[int]) -> List[Daemon]:
    """The daemons that these words name: kinds, roles, or a kind and an index; none: all.

    `data_nodes` leaves out all but so many of the first datanodes. Raises Failure for a word that
    names nothing here.
    """
    everything = [
        daemon
        for daemon in site.daemons
        if data_nodes is None or daemon.kind.name != "data_node" or daemon.index < data_nodes
    ]
    if not words:
        if not everything and not site.left:
            path = site.settings.path or "(no config.ini)"
            raise Failure(f"{path}: no daemon of this file belongs on this machine")
        return everything + site.left
    known: Dict[str, List[Daemon]] = {}
    for daemon in site.left + site.daemons:
        known.setdefault(daemon.kind.name, []).append(daemon)
        if daemon.role != daemon.kind.name:
            # Where one that has left config.ini has the same name, the other one is meant.
            known[daemon.role] = [daemon]
        if daemon in site.daemons:
            known[f"{daemon.kind.name}_{daemon.index}"] = [daemon]
    chosen: List[Daemon] = []
    for name in _names(words):
        if name not in known:
            there = ", ".join(daemon.role for daemon in site.daemons + site.left)
            raise Failure(f"no daemon {name} here; there are: {there}")
        chosen += [daemon for daemon in known[name] if daemon not in chosen]
    return sorted(chosen, key=(site.daemons + site.left).index)


def by_kind(daemons: Iterable[Daemon]) -> List[List[Daemon]]:
    """The same, those of each kind by themselves."""
    found = [[daemon for daemon in daemons if daemon.kind == kind] for kind in KINDS]
    return [of_kind for of_kind in found if of_kind]


def _names(words: Sequence[str]) -> List[str]:
    """`data_node 1` is data_node_1; dashes, and kinds written in one word, are understood."""
    names: List[str] = []
    for word in words:
        name = word.lower().replace("-", "_")
        for joined, kind in (("datanode", "data_node"), ("namenode", "name_node")):
            name = name.replace(joined, kind, 1)
        if name.isdecimal() and names and not names[-1][-1].isdecimal():
            names[-1] += f"_{int(name)}"
        else:
            names.append(name)
    return names
