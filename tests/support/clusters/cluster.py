"""A whole cluster of real processes, started by the documented commands, in one folder.

    with Cluster(tmp_path, data_nodes=3, name_node={"replication_factor": 3}) as cluster:
        assert cluster.client("put", "-", "/a", stdin=b"hello").status == 0
        cluster.kill("data_node_0")
        assert cluster.client("cat", "/a").out == b"hello"

Roles are `zookeeper`, `metadata`, `name_node` (of more than one also `name_node_1`, …),
`data_node_0`, `data_node_1`, …, `gateway_0`, … and, as the near end of a link, `client`. Nothing is
outside of the folder but ports, which are reserved for as long as the cluster lives. Leaving the
`with` stops every daemon with SIGTERM, and fails the test if one does not exit with status 0, or
leaves a process behind.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Type

from data_service.filesystem import FileSystem
from tests.support.clusters import configuration, nursery
from tests.support.clusters.daemon import Daemon
from tests.support.clusters.ports import Ports
from tests.support.links.crossing import Crossing
from tests.support.links.proxy import Proxy
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[3]

CLIENT = "client"
EVERYBODY = "*"
LINK_HOSTS = [f"127.0.0.{number}" for number in range(2, 250)]
"""Where proxies listen: with the target's port, so that only the host tells links apart."""

_LAUNCHERS = {
    "zookeeper": "zookeeper/zk.py",
    "metadata": "metadata_service/metadata.py",
    "name_node": "data_service/name_node.py",
    "data_node": "data_service/data_node.py",
    "gateway": "data_service/web_gateway.py",
    "client": "data_service/client.py",
}

Link = Tuple[str, str]

USUAL_SECURITY = os.environ.get("PYHDFS_TEST_SECURITY", "secret")
"""Of clusters whose test does not care: with this variable, they can all be tried in another."""


class Result(NamedTuple):
    """What one run of the client gave."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode("utf-8")


class Cluster:
    """Daemons by role, the client, and ways to hurt them.

    `data_nodes` start; `spare_data_nodes` more stand in config.ini and wait for `start_daemon`.
    `members` metadata services and `zookeepers` keep the record, and see who lives.
    `directories` says which datanodes have more than one directory: `{"data_node_0": 2}`.
    `links` are (who, whom) pairs that go through a proxy, see `link`; `*` is everybody, and the
    only `who` for datanodes, whose addresses the namenode hands out. `crossings` are roles to whom
    everybody has a link of his own behind one address. `security` is `simple`;
    `secret` with a key of this cluster's own; or `tls`, that and a certificate for each role. With
    both there can be no one-sided links, because a server proves to be who was dialled: clusters
    with links are of mode `simple`, all others of USUAL_SECURITY. `overrides` are other sections of
    config.ini: `name_node={"block_size": "64K"}`.
    """

    recent: List["Cluster"] = []
    """Made during the running test; their logs belong into its report if it fails."""

    def __init__(
        self,
        folder: Path,
        data_nodes: int = 3,
        spare_data_nodes: int = 0,
        name_nodes: int = 1,
        members: int = 1,
        zookeepers: int = 1,
        gateways: int = 0,
        directories: Mapping[str, int] = MappingProxyType({}),
        links: Sequence[Link] = (),
        crossings: Sequence[str] = (),
        security: str = "",
        **overrides: Mapping[str, object],
    ) -> None:
        self.folder = folder
        known = [f"data_node_{index}" for index in range(data_nodes + spare_data_nodes)]
        self.data_nodes = known[:data_nodes]
        self.name_nodes = _roles("name_node", name_nodes)
        self.members = _roles("metadata", members)
        self.zookeepers = _roles("zookeeper", zookeepers)
        self.gateways = [f"gateway_{index}" for index in range(gateways)]
        self.roles = [
            *self.zookeepers, *self.members, *self.name_nodes, *known, *self.gateways
        ]  # fmt: skip
        self.config = folder / "config.ini"
        self.daemons: Dict[str, Daemon] = {}
        self._ports = Ports()
        self._addresses = {role: f"{self._ports.host}:{self._ports.take()}" for role in self.roles}
        self._links: Dict[Link, Proxy] = {}
        for pair in links:
            self._links[pair] = self._proxy_to(pair[1])
        self._crossings = {role: self._crossing_to(role) for role in crossings}
        self._directories = directories
        self.folder.mkdir(parents=True, exist_ok=True)
        security = security or ("simple" if links or crossings else USUAL_SECURITY)
        self._overrides = {"security": configuration.secured(folder, security), **overrides}
        self._individuals = {near for near, _ in links} - {EVERYBODY}
        if security == "tls":
            self._individuals.update(self.roles)
        self._client_root = ROOT
        self._clients: List["subprocess.Popen[bytes]"] = []
        self.warnings: List[str] = []  # What `file_system` said.
        self._configure()
        Cluster.recent.append(self)

    def __repr__(self) -> str:
        return f"<Cluster {' '.join(repr(daemon) for daemon in self.daemons.values())}>"

    def __enter__(self) -> "Cluster":
        try:
            self.start()
        except BaseException:
            self._end_by_force()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.close()
        else:
            # The test has failed already: how the daemons end would only hide why.
            self._end_by_force()

    @property
    def running(self) -> bool:
        """Whether any daemon runs."""
        return any(daemon.running for daemon in self.daemons.values())

    def start(self) -> None:
        """Start all daemons but the spare ones, in no order; returns when files can be put.

        Only the first namenode comes before the others, so that it is the one that leads.
        """
        others = [*self.data_nodes, *self.gateways]
        running = [*self.zookeepers, *self.members, "name_node", *others]
        for roles in (running, self.name_nodes[1:]):
            for role in roles:
                self.daemons[role].start()
            for role in roles:
                self.daemons[role].wait_ready()
        self.wait_live(len(self.data_nodes))

    def close(self) -> None:
        """Stop every daemon and assert that each ended well and nothing is left."""
        alive = [daemon for daemon in self.daemons.values() if daemon.running]
        try:
            for daemon in alive:
                # A paused process would not see its SIGTERM.
                daemon.resume()
                daemon.send_signal(signal.SIGTERM)
            statuses = {daemon.role: daemon.wait() for daemon in alive}
            left = [daemon.role for daemon in self.daemons.values() if daemon.leaves_processes()]
            lost = [client.args for client in self._clients if client.poll() is None]
        finally:
            self._end_by_force()
        failed = {role: status for role, status in statuses.items() if status}
        assert not failed, f"did not stop cleanly: {failed}\n{self.logs()}"
        assert not left and not lost, f"left processes behind: {left} {lost}"

    def start_daemon(self, role: str) -> None:
        """Start one daemon that is not running, a spare one too; returns when it is ready."""
        self.daemons[role].start()
        self.daemons[role].wait_ready()

    def run_from(self, root: Path, *roles: str) -> None:
        """From their next start on these daemons, or the `client`, run the code in `root`."""
        for role in roles:
            if role == CLIENT:
                self._client_root = root
            else:
                self.daemons[role].command = self._command(role, root)

    def kill(self, role: str) -> None:
        """SIGKILL; returns when the process is gone."""
        self.daemons[role].kill()

    def pause(self, role: str) -> None:
        """SIGSTOP: the process keeps its connections and answers nothing."""
        self.daemons[role].pause()

    def resume(self, role: str) -> None:
        """SIGCONT: the process goes on and does not know that it was away."""
        self.daemons[role].resume()

    def terminate(self, role: str) -> None:
        """SIGTERM; asserts that the process ends with status 0."""
        daemon = self.daemons[role]
        status = daemon.terminate()
        assert status == 0, f"{role} ended with status {status}\n{daemon.tail()}"

    def restart(self, role: str) -> None:
        """Stop cleanly if it runs, start, and wait until it is ready."""
        if self.daemons[role].running:
            self.terminate(role)
        self.start_daemon(role)

    def wipe(self, role: str) -> None:
        """An empty disk for a daemon that is not running."""
        assert not self.daemons[role].running
        for directory in self.directories(role):
            shutil.rmtree(directory, ignore_errors=True)

    def directory(self, role: str) -> Path:
        """Where this daemon keeps its data; the first directory of several."""
        return self.directories(role)[0]

    def directories(self, role: str) -> List[Path]:
        """All places where this daemon keeps its data."""
        return configuration.data_directories(self.folder, role, self._directories)

    def address(self, role: str) -> Tuple[str, int]:
        """Where this daemon itself listens, past any proxy."""
        host, _, port = self._addresses[role].partition(":")
        return host, int(port)

    def link(self, who: str, whom: str) -> Proxy:
        """The proxy that one of `links` goes through, or anybody's way to one of `crossings`."""
        if whom in self._crossings:
            return self._crossings[whom].link(who)
        return self._links[who, whom]

    def client(
        self, *argv: str, stdin: Optional[bytes] = None, timeout: float = 2 * PATIENCE_SECONDS
    ) -> Result:
        """Run the client's command to its end; never raises for what the command says."""
        command, environment = self.client_command(*argv), self.environment(CLIENT)
        if nursery.can_bear(command, environment):
            done = nursery.run(command, environment, self.folder, stdin, timeout)
        else:
            done = subprocess.run(
                command,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env=environment,
                timeout=timeout,
            )
        return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))

    def start_client(self, *argv: str) -> "subprocess.Popen[bytes]":
        """A client that runs beside the test, with pipes; the test waits for it or kills it."""
        client = subprocess.Popen(
            self.client_command(*argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment(CLIENT),
        )
        # A trial of hours starts very many: who has ended and was heard out is nobody to end.
        for heard_out in filter(_is_heard_out, self._clients):
            _close_pipes(heard_out)
        self._clients = [one for one in self._clients if not _is_heard_out(one)] + [client]
        return client

    def client_command(self, *argv: str) -> List[str]:
        """The documented command; it finds config.ini by its environment."""
        return [sys.executable, str(self._client_root / _LAUNCHERS[CLIENT]), *argv]

    def environment(self, who: str) -> Dict[str, str]:
        """This process's environment, with the cluster's config.ini and nobody's home."""
        environment = dict(os.environ, HOME=str(self.folder))
        environment["PYHDFS_CONFIG"] = str(self._config_of(who))
        return environment

    def file_system(self, user: Optional[str] = None) -> FileSystem:
        """The client library in this process, for `with`; as the superuser, or another user."""
        return FileSystem(str(self._config_of(CLIENT)), user, on_warning=self.warnings.append)

    def wait_live(self, count: int, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until just `count` datanodes live, have told their room, and changes are taken."""
        with self.file_system() as file_system:

            def is_so() -> bool:
                live = [node for node in file_system.datanodes() if node.state == "live"]
                heard = len(live) == count and all(node.stats.capacity for node in live)
                return heard and not file_system.cluster_status().safe_mode

            wait_until(is_so, timeout, f"{count} live datanodes and the end of safe mode")

    def logs(self) -> str:
        """The tail of each daemon's log, for a failure's message."""
        return "\n".join(daemon.tail() for daemon in self.daemons.values())

    def _configure(self) -> None:
        self._write_config(self.config, EVERYBODY)
        for who in self._individuals:
            self._write_config(self._config_of(who), who)
        for role in self.roles:
            log_path = self.folder / f"{role}.log"
            self.daemons[role] = Daemon(role, self._command(role, ROOT), log_path, dict(os.environ))

    def _command(self, role: str, root: Path) -> List[str]:
        kind = configuration.kind_of(role)
        index = role[len(kind) + 1 :]
        command = [sys.executable, str(root / _LAUNCHERS[kind]), *filter(None, [index])]
        return command + ["--config", str(self._config_of(role))]

    def _config_of(self, who: str) -> Path:
        own = who in self._individuals
        return self.folder / f"config-{who}.ini" if own else self.config

    def _write_config(self, path: Path, who: str) -> None:
        """config.ini as `who` sees it: through that one's proxies, and everybody's."""
        seen = dict(self._addresses)
        for role, crossing in self._crossings.items():
            seen[role] = "{}:{}".format(*crossing.address)
        for (near, far), proxy in self._links.items():
            if near in (who, EVERYBODY):
                seen[far] = "{}:{}".format(*proxy.address)
        sections = configuration.sections_for(
            self.folder, seen, self._directories, self._overrides
        )
        if who in self.roles and sections["security"].get("tls"):
            sections["security"].update(configuration.certified(self.folder, who))
        configuration.write(path, sections)

    def _proxy_to(self, role: str) -> Proxy:
        host, port = self.address(role)
        others = sum(far == role for _, far in self._links)
        return Proxy((host, port), listen=(LINK_HOSTS[others], port))

    def _crossing_to(self, role: str) -> Crossing:
        def processes() -> Dict[str, int]:
            return {one.role: one.pid for one in self.daemons.values() if one.running}

        host, port = self.address(role)
        return Crossing((host, port), (LINK_HOSTS[-1], port), processes, CLIENT)

    def _end_by_force(self) -> None:
        for client in self._clients:
            if client.poll() is None:
                client.kill()
            _close_pipes(client)
        for daemon in self.daemons.values():
            daemon.kill_group()
        for proxy in (*self._links.values(), *self._crossings.values()):
            proxy.close()
        self._ports.close()


def _roles(kind: str, count: int) -> List[str]:
    """Of a kind whose first one has no number."""
    return [kind] + [f"{kind}_{index}" for index in range(1, count)]


def _close_pipes(client: "subprocess.Popen[bytes]") -> None:
    """Of a client that ended: its test may have closed some, and what is in them is nobody's."""
    with suppress(BrokenPipeError), client:
        pass


def _is_heard_out(client: "subprocess.Popen[bytes]") -> bool:
    return client.poll() is not None and client.stdout is not None and client.stdout.closed
