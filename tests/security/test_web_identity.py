"""Who asks a gateway of a cluster of mode `secret` with TLS, on real processes: by curl."""

import json
import os
import shlex
import subprocess
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.acting import ByKey
from tests.support.clusters.cluster import CLIENT, ROOT, Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.tidy.readme import blocks
from zookeeper.fabric.errors import AuthenticationFailed

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(which("curl") is None, reason="there is no curl"),
]

PAGE = ("-H", "X-Requested-By: page")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all, with two gateways, and homes for those who ask."""
    folder = tmp_path_factory.mktemp("identity") / "cluster"
    made = Cluster(folder, 1, gateways=2, security="tls", name_node={"replication_factor": 1})
    own = folder / "config-name_node.ini"
    text = own.read_text("utf-8")
    own.write_text(text.replace("[security]", "[security]\nproxy_users = hue=*"), "utf-8")
    with made:
        with made.file_system() as fs:
            for user in ("alice", "bob", "carol"):
                fs.mkdir(f"/user/{user}", parents=True)
                fs.set_owner(f"/user/{user}", user)
        yield made


class Curled(NamedTuple):
    """What curl printed, and the heads that it met on the way, one after the other."""

    body: bytes
    heads: List[str]

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def status(self) -> str:
        """The last one."""
        return self.heads[-1].split()[1]

    @property
    def error(self) -> str:
        """Name of the exception and message."""
        told = self.json["RemoteException"]
        return f"{told['exception']}: {told['message']}"


class Curl:
    """curl to the gateways, which believes the cluster's authority, and keeps no cookies unless it
    is told to."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._passwords: Dict[str, str] = {}

    def __call__(self, target: str, *options: str, gateway: int = 0) -> Curled:
        root = "https://{}:{}".format(*self._cluster.address(f"gateway_{gateway}"))
        heads = self._folder / "heads"
        authority = str(self._cluster.folder / "certificates" / "ca.pem")
        done = subprocess.run(
            ["curl", "-sS", "--cacert", authority, "-D", str(heads), *options, root + target],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=2 * PATIENCE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0
        return Curled(done.stdout, heads.read_text("latin-1").strip().split("\n\n"))

    def password(self, user: str) -> str:
        """The user's, from the documented command."""
        if user not in self._passwords:
            done = self._cluster.client("issueKey", "--web", user)
            assert done.status == 0, done.err
            self._passwords[user] = done.text.strip()
        return self._passwords[user]

    def by(self, user: str) -> List[str]:
        """The options that prove who asks."""
        return ["-u", f"{user}:{self.password(user)}"]

    def log_in(self, user: str, gateway: int = 0) -> List[str]:
        """The options of who began a session: the cookie, and the page's header."""
        jar = str(self._folder / f"{user}.cookies")
        told = json.dumps({"user": user, "password": self.password(user)})
        entered = self("/login", "-c", jar, *PAGE, "-d", told, gateway=gateway)
        assert entered.json["user"] == user, entered.body
        # Of TLS, so curl gives it to nobody else; the other gateway has another port only.
        assert "__Host-pyhdfs-session" in Path(jar).read_text()
        return ["-b", jar, *PAGE]


@pytest.fixture
def curl(cluster: Cluster, tmp_path: Path) -> Curl:
    """curl to its gateways."""
    return Curl(cluster, tmp_path)


def test_a_password_opens_what_is_its_users(
    cluster: Cluster, curl: Curl, tmp_path: Path
) -> None:
    original = tmp_path / "original"
    original.write_bytes(os.urandom((2 << 20) + 17))
    path = "/webhdfs/v1/user/alice/a%20b"
    up = curl(f"{path}?op=CREATE", "-L", "-T", str(original), *curl.by("alice"))
    assert up.status == "201", up.body
    assert "Location: https://" in "".join(up.heads)
    for gateway in (0, 1):
        down = curl(f"{path}?op=OPEN&user.name=alice", "-L", *curl.by("alice"), gateway=gateway)
        assert down.body == original.read_bytes()
    told = curl(f"{path}?op=GETFILESTATUS", *curl.by("bob")).json["FileStatus"]
    assert told["owner"] == "alice"
    denied = curl("/webhdfs/v1/user/alice/x?op=MKDIRS", "-X", "PUT", *curl.by("bob"))
    assert denied.status == "403" and "user=bob" in denied.error
    assert cluster.client("cat", "/user/alice/a b").out == original.read_bytes()


def test_who_proves_nothing_is_shown_nothing(curl: Curl) -> None:
    nobody = curl("/webhdfs/v1/?op=LISTSTATUS&user.name=root")
    assert nobody.status == "401" and "WWW-Authenticate: Basic realm=" in nobody.heads[0]
    assert nobody.error.startswith("SecurityException: say who you are")
    alice = curl.password("alice")
    for user, password in (("bob", alice), ("root", alice), ("alice", alice[:-1] + "A"),
                           ("alice", "secret"), ("gateway", alice), ("alice", "")):
        refused = curl("/webhdfs/v1/?op=LISTSTATUS", "-u", f"{user}:{password}")
        assert refused.status == "401" and refused.error.startswith("SecurityException: ")
    other = curl("/webhdfs/v1/?op=LISTSTATUS&user.name=root", *curl.by("alice"))
    assert other.status == "403" and "user.name is root" in other.error


def test_a_proxy_acts_for_whom_it_may(cluster: Cluster, curl: Curl) -> None:
    path = "/webhdfs/v1/user/alice/by-hue?user.name=hue&doas=alice&op="
    made = curl(f"{path}CREATE&overwrite=true", "-L", "-T", __file__, *curl.by("hue"))
    assert made.status == "201", made.body
    told = curl(f"{path}GETFILESTATUS", *curl.by("hue")).json["FileStatus"]
    assert told["owner"] == "alice"
    read = curl(f"{path}OPEN", "-L", *curl.by("hue"))
    assert read.body == Path(__file__).read_bytes()
    superuser = cluster.file_system().user
    for user, other in (("alice", "bob"), ("hue", superuser)):
        refused = curl(f"/webhdfs/v1/?op=LISTSTATUS&doas={other}", *curl.by(user))
        assert refused.status == "403" and "not allowed to impersonate" in refused.error


def test_a_token_serves_until_it_is_cancelled(curl: Curl) -> None:
    made = curl("/webhdfs/v1/?op=GETDELEGATIONTOKEN&renewer=bob", *curl.by("alice"))
    token = made.json["Token"]["urlString"]
    home = f"/webhdfs/v1/?op=GETHOMEDIRECTORY&delegation={token}"
    for gateway in (0, 1):
        assert curl(home, gateway=gateway).json == {"Path": "/user/alice"}
    made = curl(f"/webhdfs/v1/user/alice/t?op=CREATE&overwrite=true&delegation={token}",
                "-L", "-X", "PUT", "-H", "Content-Length: 0")
    assert made.status == "201", made.body
    told = curl(f"/webhdfs/v1/user/alice/t?op=GETFILESTATUS&delegation={token}")
    assert told.json["FileStatus"]["owner"] == "alice"
    changed = f"/webhdfs/v1/?op=RENEWDELEGATIONTOKEN&token={token}"
    assert curl(changed, "-X", "PUT", *curl.by("alice")).status == "403"
    assert curl(changed, "-X", "PUT", *curl.by("bob")).json["long"] > 0
    forged = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    for wrong in (forged, token[:-1], token + "A", "x"):
        assert curl(home.replace(token, wrong)).status == "403"
    cancelled = curl(changed.replace("RENEW", "CANCEL"), "-X", "PUT", *curl.by("alice"))
    assert (cancelled.status, cancelled.body) == ("200", b"")
    for gateway in (0, 1):
        refused = curl(home.replace("GETHOMEDIRECTORY", "LISTSTATUS"), gateway=gateway)
        assert refused.status == "403" and refused.error.startswith("InvalidToken: ")


def test_a_session_is_good_at_every_gateway_and_over_at_all(cluster: Cluster, curl: Curl) -> None:
    page = curl.log_in("alice")
    for gateway in (0, 1):
        assert curl("/who", *page, gateway=gateway).json == {
            "user": "alice", "mode": "secret", "superuser": False, "home": "/user/alice"}
    made = "/webhdfs/v1/user/alice/page?op=MKDIRS"
    bare = curl(made, "-X", "PUT", *page[:2])
    assert bare.status == "403" and "X-Requested-By" in bare.error
    planted = Path(page[1]).read_text().split()[-1]
    assert curl("/who", *PAGE, "-H", f"Cookie: pyhdfs-session={planted}").status == "401"
    evil = curl(made, "-X", "PUT", *page, "-H", "Origin: https://evil.org")
    assert evil.status == "403"
    assert curl(made, "-X", "PUT", *page).json == {"boolean": True}
    cluster.kill("gateway_0")
    cluster.start_daemon("gateway_0")
    assert curl("/who", *page).json["user"] == "alice", "it kept nothing that was lost"
    assert curl("/logout", "-X", "POST", *page, gateway=1).status == "200"
    for gateway in (0, 1):
        over = curl("/who", *page, gateway=gateway)
        assert over.status == "401" and "WWW-Authenticate" not in over.heads[0]


def test_whose_key_is_revoked_is_out_at_once(cluster: Cluster, curl: Curl) -> None:
    page, own = curl.log_in("carol"), curl.by("carol")
    assert curl("/who", *page).status == curl("/who", *own).status == "200"
    acting = ByKey("carol", curl.password("carol"))
    with ExitStack() as held:
        known = held.enter_context(FileSystem(str(cluster.config), acting=acting))
        known.knock()
        (cluster.folder / "revoked").write_text("user:carol\n")
        held.callback((cluster.folder / "revoked").write_text, "")
        for options in (page, own):
            wait_until(lambda options=options: curl("/who", *options).status == "401",
                       what="the end of a revoked key")  # type: ignore[misc]
        with pytest.raises(AuthenticationFailed):
            known.knock()
    assert curl("/who", *curl.by("bob")).status == "200"


def test_a_gateway_needs_no_more_than_a_key_of_its_own(
    cluster: Cluster, curl: Curl, tmp_path: Path
) -> None:
    key = tmp_path / "gateway.key"
    assert cluster.client("issueKey", "--gateway", "web", "-o", str(key)).status == 0
    daemon = cluster.daemons["gateway_1"]
    cluster.terminate("gateway_1")
    before = dict(daemon.environment)
    daemon.environment["PYHDFS_KEY_FILE"] = str(key)
    cluster.start_daemon("gateway_1")
    try:
        page = curl.log_in("alice", gateway=1)
        path = "/webhdfs/v1/user/alice/own?op="
        made = curl(f"{path}CREATE&overwrite=true", "-L", "-T", __file__, *page, gateway=1)
        assert made.status == "201", made.body
        assert curl(f"{path}OPEN", "-L", *page, gateway=1).body == Path(__file__).read_bytes()
        log = daemon.log_path.read_text()
        assert "session.not_renewed" not in log and curl.password("alice") not in log
    finally:
        cluster.terminate("gateway_1")
        daemon.environment = before
        cluster.start_daemon("gateway_1")


def test_what_the_readme_shows(cluster: Cluster, tmp_path: Path) -> None:
    (shown,) = [block for block in blocks((ROOT / "README.md").read_text("utf-8"))
                if block.language == "sh" and block.lines[0].startswith("web=")]
    (tmp_path / "README.md").write_bytes(b"# PyHDFS\n")
    place = "{}:{}".format(*cluster.address("gateway_0"))
    authority = cluster.folder / "certificates" / "ca.pem"
    commands = "\n".join(shown.lines).replace("http://localhost:9870", f"https://{place}")
    pyhdfs = shlex.join(cluster.client_command())
    done = subprocess.run(
        ["sh", "-euc", f'pyhdfs() {{ {pyhdfs} "$@"; }}\n'
         + commands.replace("curl ", f"curl -sSf --cacert {shlex.quote(str(authority))} ")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=tmp_path,
        env=cluster.environment(CLIENT), timeout=2 * PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0
    listed, _, rest = done.stdout.partition(b"]}}")
    assert json.loads(listed + b"]}}")["FileStatuses"]["FileStatus"][0]["length"] == 14
    assert rest == b'PyHDFS{"boolean":true}{"boolean":true}'
