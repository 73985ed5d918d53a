"""Who looks at the page, in mode secret; and what the page of a stranger can do to her."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Iterator

import pytest

from tests.support.browser.browser import Browser
from tests.support.browser.visitor import FILES, Visitor
from tests.support.clusters.cluster import Cluster

USER = "alice"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, one_browser: Browser) -> Iterator[Cluster]:
    """A cluster in mode secret, in which alice has a file."""
    folder = tmp_path_factory.mktemp("guarded")
    one = {"replication_factor": 1}
    with Cluster(folder, data_nodes=1, gateways=1, security="secret", name_node=one) as made:
        with made.file_system() as fs:
            fs.write_bytes(f"/{USER}/file", b"hers")
            fs.set_owner(f"/{USER}", USER)
            fs.set_mode(f"/{USER}", 0o700)
        yield made


@pytest.fixture(scope="module")
def password(guarded: Cluster) -> str:
    """Alice's web password."""
    return guarded.client("issueKey", "--web", USER).text.strip()


@pytest.fixture
def alice(browser: Browser, guarded: Cluster) -> Visitor:
    """Alice, who has just opened the page."""
    made = Visitor(browser, "http://{}:{}/".format(*guarded.address("gateway_0")))
    made.arrive()
    return made


def test_one_logs_in_and_out(alice: Visitor, password: str) -> None:
    browser = alice.browser
    alice.say(USER, password[:-1] + ("a" if password[-1] != "a" else "b"))
    browser.wait("return document.querySelector('main [role=alert]')")
    assert len(browser.text("main [role=alert]").split()) > 3
    browser.write("input", password, "Web password")
    browser.press("Enter")
    browser.wait_for("All is well", ".health")
    alice.see_directory(f"/{USER}", 1)
    browser.reload()
    alice.wait_for_entries(1)
    kept = browser.script("return document.cookie + JSON.stringify({...localStorage})"
                          " + JSON.stringify({...sessionStorage}) + document.body.innerHTML")
    assert password not in kept and browser.script("return document.cookie") == ""
    browser.click("button", "Log out")
    browser.wait("return document.querySelector('form.login')")
    browser.open(f"{alice.root}#/{FILES}/{USER}")
    browser.wait("return document.querySelector('form.login')")
    assert not browser.find("[role=grid]")


class Strange(BaseHTTPRequestHandler):
    """Another site on the same machine, which a browser takes for the same site as the gateway."""

    def do_GET(self) -> None:
        """An empty page; what is done there, the test says."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>strange</title>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def strange() -> Iterator[str]:
    """Where that site is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Strange) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


ATTACKS = """
    const [root, path, done] = arguments;
    const send = (method, target, more = {}) => fetch(root + target,
        {method, mode: "no-cors", credentials: "include", ...more}).then(
        (answer) => answer.type, () => "failed");
    const form = (target, enctype) => {
        const frame = Object.assign(document.createElement("iframe"), {name: enctype});
        const made = Object.assign(document.createElement("form"),
            {method: "POST", action: root + target, target: enctype, enctype});
        document.body.append(frame, made);
        return new Promise((end) => { frame.onload = end; made.submit(); });
    };
    const read = (target) => fetch(root + target, {credentials: "include"})
        .then((answer) => answer.text(), () => "");
    return Promise.all([
        send("POST", `webhdfs/v1${path}?op=TRUNCATE&newlength=0`),
        send("POST", `webhdfs/v1${path}?op=APPEND&data=true`, {body: "more"}),
        send("POST", `files/trash?path=${path}`), send("POST", "logout"),
        send("PUT", `webhdfs/v1${path}?op=CREATE&overwrite=true&data=true`, {mode: "cors"}),
        send("DELETE", `webhdfs/v1${path}?op=DELETE`, {mode: "cors"}),
        send("POST", `webhdfs/v1${path}?op=TRUNCATE&newlength=0`,
            {mode: "cors", headers: {"X-Requested-By": "page"}}),
        form(`webhdfs/v1${path}?op=TRUNCATE&newlength=0`, "text/plain"),
        form(`webhdfs/v1${path}?op=TRUNCATE&newlength=0`, "multipart/form-data"),
    ]).then(() => Promise.all([read("who"), read(`webhdfs/v1${path}?op=OPEN&data=true`),
        read("page/app.js")]));
"""


def test_a_stranger_can_do_nothing_in_her_name(
    alice: Visitor, guarded: Cluster, password: str, strange: str
) -> None:
    browser = alice.browser
    alice.say(USER, password)
    browser.wait_for("All is well", ".health")
    browser.open(strange)
    assert browser.script(ATTACKS, alice.root, f"/{USER}/file") == ["", "", ""]
    with guarded.file_system() as fs:
        assert fs.listdir(f"/{USER}") == ["file"] and fs.read_bytes(f"/{USER}/file") == b"hers"
    browser.script("const frame = document.createElement('iframe'); frame.src = arguments[0];"
                   "document.body.append(frame)", alice.root)
    alice.see_directory(f"/{USER}", 1)  # She is still logged in.
