"""What a page of another site can do with a browser that is logged in at the gateway: nothing."""

from contextlib import ExitStack, contextmanager
from typing import Any, Iterator

import pytest

from data_service.web.exchange.answers import Answer
from data_service.web.exchange.body import Body
from data_service.web.exchange.http_head import Head
from data_service.web.exchange.http_server import HttpServer
from tests.support.browser.browser import Browser
from tests.support.browser.played_gateway import PlayedGateway
from tests.support.models.proving_asker import ProvingAsker
from zookeeper.fabric.settings import NetworkSettings

CHANGES = {
    "MKDIRS": "fetch(gateway + 'webhdfs/v1/evil?op=MKDIRS', {method: 'PUT', ...cookie})",
    "with the header": "fetch(gateway + 'webhdfs/v1/d?op=DELETE&recursive=true', "
                       "{method: 'DELETE', headers: {'X-Requested-By': 'page'}, ...cookie})",
    "without asking first": "fetch(gateway + 'webhdfs/v1/d/f?op=TRUNCATE&newlength=0', "
                            "{method: 'POST', mode: 'no-cors', ...cookie})",
    "beacon": "Promise.resolve(navigator.sendBeacon(gateway + 'logout'))",
    "log in": "fetch(gateway + 'login', {method: 'POST', mode: 'no-cors', ...cookie, "
              "body: JSON.stringify({user: 'bob', password: 'pb'})})",
    "form": "form(gateway + 'webhdfs/v1/d/f?op=TRUNCATE&newlength=0')",
    "form that logs out": "form(gateway + 'logout')",
}
READS = {
    "fetch": "fetch(gateway + 'webhdfs/v1/d?op=LISTSTATUS', cookie)",
    "file": "fetch(gateway + 'webhdfs/v1/d/f?op=OPEN&data=true', cookie)",
    "token": "fetch(gateway + 'webhdfs/v1/?op=GETDELEGATIONTOKEN', cookie)",
    "script": "element('script', gateway + 'webhdfs/v1/d/x.js?op=OPEN&data=true')",
    "image": "element('img', gateway + 'page/icon.svg')",
}
HELP = """
    const gateway = arguments[0], cookie = {credentials: 'include'};
    const element = (kind, src) => new Promise((resolve, reject) => {
      const it = Object.assign(document.createElement(kind), {src, onload: resolve});
      it.onerror = reject;
      document.body.append(it);
    });
    const form = (action) => new Promise((resolve) => {
      const name = `hidden${document.forms.length}`;
      const frame = Object.assign(document.createElement('iframe'), {name});
      const it = Object.assign(document.createElement('form'),
                               {method: 'POST', action, target: name});
      document.body.append(frame, it);
      frame.onload = resolve;
      it.submit();
    });
"""


@contextmanager
def answering(_head: Head, _body: Body) -> Iterator[Answer]:
    """The page of another site, which forbids itself nothing."""
    yield Answer(200, b"<!doctype html><title>evil</title><body>", "text/html",
                 headers=(("Content-Security-Policy", "default-src * 'unsafe-inline'"),))


@pytest.fixture
def ask() -> ProvingAsker:
    """The cluster behind the gateway."""
    made = ProvingAsker()
    made.fs.write("/d/x.js", b"window.ran = true")
    return made


@pytest.fixture
def gateway(ask: ProvingAsker) -> Iterator[str]:
    """Where the gateway is."""
    with PlayedGateway(ask.doors) as made:
        yield made.url


@pytest.fixture(params=["127.0.0.1", "localhost"], ids=["same site", "cross site"])
def evil(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the other site is: on another port of the same host, for which a browser keeps no other
    cookies, or under another name."""
    server = HttpServer("evil", "127.0.0.1", 0, answering, NetworkSettings())
    with ExitStack() as held:
        server.start()
        held.callback(server.stop)
        yield f"http://{request.param}:{server.address.port}/"


def run(browser: Browser, gateway: str, code: str) -> Any:
    """How this ended: `done`, with the status where there is one, or `refused`."""
    return browser.script(
        HELP + f"return ({code}).then((it) => ['done', it.status || 0], () => ['refused', 0])",
        gateway,
    )


def test_a_foreign_page_does_nothing_in_the_name_of_who_looks_at_it(
    browser: Browser, gateway: str, ask: ProvingAsker, evil: str
) -> None:
    browser.open(gateway)
    page = "headers: {'X-Requested-By': 'page'}"
    assert run(browser, gateway, "fetch('/login', {method: 'POST', " + page + ", body: "
               "JSON.stringify({user: 'root', password: 'pr'})})") == ["done", 200]
    assert run(browser, gateway, "fetch('/webhdfs/v1/own?op=MKDIRS', {method: 'PUT', "
               + page + "})") == ["done", 200], "the gateway's own page can"
    before, tokens = ask.fs.tree(), dict(ask.tokens)
    browser.open(evil)
    for name, code in CHANGES.items():
        run(browser, gateway, code)
        assert (name, ask.fs.tree(), ask.tokens) == (name, before, tokens)
    assert ask.fs.contents("/d/f") == b"hello"
    for name, code in READS.items():
        assert (name, *run(browser, gateway, code)) == (name, "refused", 0)
    assert not browser.script("return window.ran")
    browser.open(gateway)
    assert run(browser, gateway, "fetch('/who')") == ["done", 200], "and nobody was logged out"
