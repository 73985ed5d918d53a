"""The frame of the page, its overview, its datanodes and its login, before a played gateway."""

import base64
import struct
from typing import Any, Iterator

import pytest

from data_service.web.exchange.remote_exceptions import (
    ACCESS_CONTROL,
    ILLEGAL_ARGUMENT,
    RemoteException,
)
from data_service.web.figures.datanode_rows import datanode_rows
from data_service.web.figures.history import History
from data_service.web.figures.overview import overview
from data_service.web.figures.sightings import Look
from tests.support.browser.browser import Browser
from tests.support.browser.played_gateway import PlayedGateway
from tests.support.clusters.waiting import wait_until
from tests.support.models.seen_cluster import NODES, STATUS, look, node
from zookeeper.fabric.identity import USER, Principal
from zookeeper.fabric.key_file import ClusterKey, issue
from zookeeper.fabric.web_password import parse

HOSTILE = "<img src=x onerror=document.title='hacked'>\u202e"
ALICE = {"user": "alice", "mode": "simple", "superuser": False, "home": "/user/alice"}


@pytest.fixture
def gateway() -> Iterator[PlayedGateway]:
    """A gateway in mode simple, whose cluster is well."""
    with PlayedGateway() as played:
        played.answers["/who"] = ALICE
        played.answers["/cluster/history"] = History().record()
        show(played, look())
        yield played


def show(gateway: PlayedGateway, seen: Look) -> None:
    """Have it tell this of the cluster from now on."""
    gateway.answers["/cluster/overview"] = overview(seen)
    gateway.answers["/cluster/datanodes"] = datanode_rows(seen)


def enter(browser: Browser, gateway: PlayedGateway, route: str = "") -> None:
    """Open the page as alice, who was here before."""
    browser.open(gateway.url)
    browser.script("localStorage.setItem('pyhdfs.user', 'alice')")
    browser.open(gateway.url + route)


def hasten(browser: Browser) -> None:
    """Have the view that is shown look at the cluster often, not every few seconds."""
    browser.script("""
        const slow = window.setTimeout;
        window.setTimeout = (run, time) => slow(run, time === 5000 ? 20 : time);
        document.dispatchEvent(new Event("visibilitychange"));""")


def refusal(message: str, status: int) -> RemoteException:
    """An error of this status."""
    kind = ILLEGAL_ARGUMENT if status == 400 else ACCESS_CONTROL
    return RemoteException(kind._replace(status=status), message)


def call(browser: Browser, module: str, function: str, *arguments: object) -> Any:
    """What a function of a module of the page gives, or the message of what it throws."""
    return browser.script(
        "const [module, name, ...given] = arguments;"
        "return import(module).then((it) => it[name](...given)).catch((it) => it.message)",
        f"/page/{module}.js", function, *arguments,
    )  # fmt: skip


def test_the_health_of_the_cluster_stands_first(browser: Browser, gateway: PlayedGateway) -> None:
    enter(browser, gateway)
    browser.wait_for("Healthy\n\nAll is well: 3 datanodes live", ".health")
    assert browser.script("return document.title") == "Overview · PyHDFS"
    assert browser.text("#navigation [aria-current]") == "Overview"
    for words in ("200 B of 0.98 KB used", "5 blocks", "3 live", "leads\n\nlocalhost:1800"):
        assert words in browser.text(".cards")
    assert [line.message for line in browser.console()] == []
    assert browser.hosts_asked() == [gateway.url.split("/")[2]]


def test_what_changes_is_told_while_somebody_looks(
    browser: Browser, gateway: PlayedGateway
) -> None:
    enter(browser, gateway)
    browser.wait_for("All is well")
    hasten(browser)
    browser.script("document.querySelector('.cards a').focus()")
    gone = (*NODES[:2], node(1803, "dead", host=HOSTILE))
    show(gateway, look(nodes=gone, status=STATUS._replace(missing=2)))
    browser.wait_for("Critical\n\n2 blocks are missing", ".health")
    assert "1 of 3 datanodes is dead" in browser.text(".health li")
    assert browser.focused == "See each of them"
    assert "2 blocks are missing" in browser.script(
        "return document.querySelector('#announcer').textContent")
    assert browser.find("img[src=x]") == []


def test_a_lost_gateway_is_told_and_found_again(browser: Browser, gateway: PlayedGateway) -> None:
    enter(browser, gateway)
    browser.wait_for("All is well")
    hasten(browser)
    gateway.answers["/cluster/overview"] = refusal("the cluster sleeps", 403)
    browser.wait_for("The cluster sleeps What you see is of ", "#contact")
    assert "All is well" in browser.text(".health")
    show(gateway, look())
    browser.wait_without("sleeps", "#contact")


def test_nobody_is_asked_while_the_page_is_hidden(
    browser: Browser, gateway: PlayedGateway
) -> None:
    enter(browser, gateway)
    browser.wait_for("All is well")
    hasten(browser)
    before = len(gateway.asked)
    wait_until(lambda: len(gateway.asked) > before + 6, what="many looks")
    hide = """Object.defineProperty(document, "hidden", {value: arguments[0], configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
        return new Promise((done) => setTimeout(done, 300));"""
    browser.script(hide, True)  # What was under way then has its time to end.
    before = len(gateway.asked)
    browser.script(hide, True)
    assert len(gateway.asked) == before
    show(gateway, look(status=STATUS._replace(missing=2)))
    browser.script(hide, False)
    browser.wait_for("2 blocks are missing", ".health")


def test_datanodes_are_sorted_and_searched(browser: Browser, gateway: PlayedGateway) -> None:
    nodes = (node(1810), node(1802, "dead", host=HOSTILE), node(1809, "stale", failed=1))
    show(gateway, look(nodes=nodes))
    enter(browser, gateway, "#/datanodes")
    browser.wait_for("1 live · 1 stale · 1 dead")
    shown = HOSTILE.replace("\u202e", "\\u202e")
    names = [f"{shown}:1802", "localhost:1809", "localhost:1810"]
    assert browser.texts("tbody td:first-child") == names
    browser.click("th button", "State")
    assert browser.texts("tbody tr .badge")[0] == "dead"
    assert browser.script("return document.querySelector('[aria-sort]').innerText") == "State"
    browser.click("th button", "State")
    assert browser.texts("tbody td:first-child")[0] == "localhost:1810"
    assert len(browser.find("[aria-sort=descending]")) == 1 and "1 failed" in browser.text("tbody")
    browser.write("input[type=search]", "localhost STALE")
    assert browser.texts("tbody td:first-child") == ["localhost:1809"]
    browser.write("input[type=search]", "nowhere")
    browser.wait_for("Nothing fits the search.")
    assert browser.script("return document.title") == "Datanodes · PyHDFS"


def test_in_mode_simple_a_name_is_enough(browser: Browser, gateway: PlayedGateway) -> None:
    browser.open(gateway.url + "#/datanodes")
    browser.wait_for("This cluster believes names")
    gateway.answers["/who"] = refusal("no user has such a name", 400)
    browser.write("input", "a b", "User name")
    browser.press("Enter")
    browser.wait_for("No user has such a name", "[role=alert]")
    gateway.answers["/who"] = ALICE
    browser.write("input", "alice", "User name")
    browser.click("button", "Log in")
    browser.wait_for("3 live", ".datanodes")
    assert browser.text("#who") == "alice"
    assert gateway.asked[-1].parameters.text("user.name") == "alice"
    browser.reload()
    browser.wait_for("3 live", ".datanodes")
    browser.click("button", "Log out")
    browser.wait_for("This cluster believes names")
    assert browser.text("#who") == "" and browser.find("#navigation") == []
    assert browser.script("return location.hash") == "#/"


def test_who_was_here_before_sees_that_the_cluster_is_down(
    browser: Browser, gateway: PlayedGateway
) -> None:
    show(gateway, look(down=("localhost:1800",), leads=False))
    gateway.answers["/who"] = refusal("the namenode does not answer", 403)
    browser.open(gateway.url)
    browser.wait_for("The namenode does not answer", "[role=alert]")
    enter(browser, gateway)
    browser.wait_for("The namenode localhost:1800 does not answer.", ".health")
    assert browser.text("#who") == "alice"
    browser.click("nav a", "Datanodes")
    browser.wait_for("localhost:1803", "tbody")
    assert "0 B" not in browser.text("tbody"), "nobody knows how much room there is"


def test_in_mode_secret_a_password_is_proved(browser: Browser, gateway: PlayedGateway) -> None:
    gateway.answers["/who"] = refusal("nobody is logged in", 401)
    gateway.answers["/login"] = refusal("this is not the key of alice", 401)
    browser.open(gateway.url)
    browser.wait_for("web password")
    browser.write("input", "alice", "User name")
    browser.write("input", "wrong", "Web password")
    browser.click("button", "Log in")
    browser.wait_for("This is not the key of alice", "[role=alert]")
    gateway.answers["/login"] = gateway.answers["/who"] = {
        "user": "alice", "mode": "secret", "superuser": True, "home": "/user/alice"}
    browser.click("button", "Log in")
    browser.wait_for("All is well")
    login = next(request for request in gateway.asked if request.path == "/login")
    assert login.head.headers["x-requested-by"] == "page" and login.head.method == "POST"
    hasten(browser)
    # A session that ended elsewhere leads to the form again.
    gateway.answers["/who"] = gateway.answers["/cluster/overview"] = refusal("unknown", 401)
    browser.wait_for("You are not logged in any more.")
    browser.wait_for("web password")


def test_a_name_of_mode_simple_does_not_speak_against_a_session(
    browser: Browser, gateway: PlayedGateway
) -> None:
    gateway.answers["/who"] = refusal("nobody is logged in", 401)
    enter(browser, gateway)
    browser.wait_for("web password")
    told = [one.parameters.text("user.name") for one in gateway.asked if one.path == "/who"]
    assert "alice" in told and told[-1] == ""
    assert browser.script("return localStorage.getItem('pyhdfs.user')") is None


def test_colours_are_the_systems_until_somebody_chooses(
    browser: Browser, gateway: PlayedGateway
) -> None:
    def ground() -> str:
        return str(browser.script("return getComputedStyle(document.body).backgroundColor"))

    enter(browser, gateway)
    browser.wait_for("All is well")
    light = ground()
    browser.look(dark=True)
    dark = ground()
    assert light != dark
    browser.click("button", "Light colours")
    assert ground() == light
    browser.reload()
    browser.wait_for("All is well")
    assert ground() == light
    browser.click("button", "Dark colours")
    assert ground() == dark
    browser.look(dark=False)
    assert ground() == light, "the system's choice counts again"


def test_a_telephone_shows_it_all_without_moving_sideways(
    browser: Browser, gateway: PlayedGateway
) -> None:
    long = node(1803, "dead", host="a-host-of-a-long-name.in.a.far.away.region.example.org")
    show(gateway, look(nodes=(*NODES[:2], long), status=STATUS._replace(missing=2)))
    browser.look(width=360, height=780)
    for route, shown in (("", "2 blocks are missing"), ("#/datanodes", "1 dead")):
        enter(browser, gateway, route)
        browser.wait_for(shown)
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.script(wide) == 0
    assert len(browser.find("th button", "State")) == 1, "it is sorted there, too"


def test_a_key_file_holds_the_web_password(browser: Browser, gateway: PlayedGateway) -> None:
    browser.open(gateway.url)
    key, issued = ClusterKey(bytes(range(32))), 1764265200
    text = issue([key], Principal(USER, "alice"), issued)
    found = call(browser, "login", "readKeyFile", text)
    assert found["user"] == "alice"
    assert parse(found["password"]) == key.calling("name_node", "user:alice", issued)[0]
    noise = base64.b64encode(struct.pack("32x")).decode()
    assert "no user's key file" in call(browser, "login", "readKeyFile", noise)


@pytest.mark.parametrize("function, value, text", [
    ("bytes", 0, "0 B"), ("bytes", 999, "999 B"), ("bytes", 1000, "0.98 KB"),
    ("bytes", 1536, "1.50 KB"), ("bytes", 128 << 20, "128 MB"), ("bytes", None, "–"),
    ("number", 1234567, "1,234,567"), ("percent", 0.042, "4.2 %"), ("percent", 1, "100 %"),
    ("percent", 0.0001, "< 0.1 %"), ("date", 9e18, "–"),
    ("duration", 0.00046, "0.46 ms"), ("duration", 0.4, "400 ms"), ("duration", 59.7, "1 min"),
    ("duration", 93784, "1 d 2 h"), ("duration", 3600, "1 h"), ("duration", 3601, "1 h"),
    ("permissions", 0o1755, "rwxr-xr-t"), ("permissions", 0o1640, "rw-r----T"),
    ("visible", "a\u202eb\n", "a\\u202eb\\u000a"), ("visible", "grün <b>", "grün <b>"),
])  # fmt: skip
def test_values_as_people_read_them(
    browser: Browser, gateway: PlayedGateway, function: str, value: object, text: str
) -> None:
    if not browser.script("return location.href").startswith(gateway.url):
        browser.open(gateway.url)
    assert call(browser, "format", function, value) == text


def test_what_charts_and_tables_and_routes_decide(
    browser: Browser, gateway: PlayedGateway
) -> None:
    browser.open(gateway.url)
    assert [call(browser, "charts", "roundUp", value) for value in (0, 3, 7, 20, 21)] == [
        1, 5, 10, 20, 50]
    assert call(browser, "charts", "roundUp", 900 << 20, 1024) == 1 << 30
    assert call(browser, "tables", "fits", "Node-7 /rack", "rack NODE")
    assert not call(browser, "tables", "fits", "Node-7 /rack", "rack 8")
    routes = {"": ["overview", "/"], "#/files/a%20b/c": ["files", "/a b/c"],
              "#/nowhere": ["overview", "/"], "#/files/%": ["files", "/"]}
    for route, parsed in routes.items():
        assert call(browser, "app", "parseRoute", route) == parsed
