"""The page as it is sent: what it is made of, how a browser must treat it, and nothing else."""

import gzip
import re
from pathlib import Path
from typing import Dict

import pytest

from data_service.web.border import Border
from data_service.web.exchange.answers import Answer, head_of
from data_service.web.front import Front
from data_service.web.page.page_door import ASSETS, CONTENT_TYPES, PageDoor
from tests.support.models.web_asker import asked
from tests.tidy.source import ROOT
from tests.tidy.test_sizes import long_files, long_lines

PAGE_BYTES_MAX = 60_000
"""All files of the page together, as they are sent."""

NO_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\(|"
    r"new Function|createContextualFragment|setHTML"
)
ELSEWHERE = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.-]+\.\w+/?""")


def assets() -> Dict[str, str]:
    """The texts of the page, by their names."""
    return {path.name: path.read_text("utf-8") for path in ASSETS.iterdir()}


@pytest.fixture(scope="module")
def front() -> Front:
    """What answers for the page."""
    door = PageDoor()
    return Front({"": door, "page": door}, Border(["web"]))


def headers_of(answer: Answer) -> Dict[str, str]:
    """Those that the answer brings."""
    return dict(answer.headers)


def test_the_page_is_at_the_root_and_its_files_below(front: Front) -> None:
    index = asked(front, "GET", "/")
    assert (index.status, index.content_type) == (200, "text/html; charset=utf-8")
    for name, text in assets().items():
        answer = asked(front, "GET", f"/page/{name}")
        assert (answer.status, answer.body) == (200, text.encode())
        assert answer.content_type == CONTENT_TYPES[Path(name).suffix]


def test_a_browser_is_told_what_the_page_may_do(front: Front) -> None:
    headers = headers_of(asked(front, "GET", "/"))
    policy = headers["Content-Security-Policy"]
    for part in ("default-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert headers["Referrer-Policy"] == "no-referrer"


def test_what_a_browser_has_is_not_sent_again(front: Front) -> None:
    tag = headers_of(asked(front, "GET", "/page/app.js"))["ETag"]
    again = asked(front, "GET", "/page/app.js", If_None_Match=f'"old", {tag}')
    assert (again.status, again.body, headers_of(again)["ETag"]) == (304, b"", tag)
    assert asked(front, "GET", "/page/app.js", If_None_Match='"old"').status == 200


@pytest.mark.parametrize("target", [
    "/page/", "/page/missing.js", "/page/../page_door.py", "/page/%2e%2e/page_door.py",
    "/page//etc/passwd", "/page/assets/app.js", "/index.html", "/page/app.js/", "/page/app.js%00",
])  # fmt: skip
def test_no_other_file_is_there(front: Front, target: str) -> None:
    assert asked(front, "GET", target).status == 404


def test_the_page_cannot_be_changed(front: Front) -> None:
    assert asked(front, "POST", "/page/app.js").status == 405
    assert asked(front, "DELETE", "/").status == 405


def test_the_page_is_small_enough_for_a_slow_line(front: Front) -> None:
    sizes = {}
    for name, text in assets().items():
        answer = asked(front, "GET", f"/page/{name}", Accept_Encoding="deflate, gzip, br")
        assert headers_of(answer)["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.body) == text.encode()
        sizes[name] = len(answer.body)
    assert sum(sizes.values()) < PAGE_BYTES_MAX, sizes


def test_who_knows_no_packed_answers_gets_none(front: Front) -> None:
    for told in ("", "identity", "gzip;q=0", "x-gzip"):
        answer = asked(front, "GET", "/page/app.js", Accept_Encoding=told)
        assert "Content-Encoding" not in headers_of(answer)


def test_a_cache_keeps_packed_answers_for_who_reads_them_also_where_other_sites_may_come() -> None:
    door = PageDoor()
    front = Front({"page": door}, Border(["web"], ["https://hue.org"]))
    for origin in ({}, {"Origin": "https://hue.org"}):
        answer = asked(front, "GET", "/page/app.js", Accept_Encoding="gzip", **origin)
        head = head_of(answer, keeps_open=True, chunked=False).decode().splitlines()
        assert [line for line in head if line.startswith("Vary")] == [
            "Vary: Accept-Encoding, Origin"]


def test_text_never_becomes_markup_and_nothing_is_from_elsewhere() -> None:
    for name, text in assets().items():
        assert not NO_MARKUP.search(text), name
        assert not ELSEWHERE.search(text), name


@pytest.mark.parametrize("fault", ["x.innerHTML = name", "eval(text)", "document.write(x)"])
def test_markup_made_of_text_is_found(fault: str) -> None:
    assert NO_MARKUP.search(fault)


def test_what_is_from_elsewhere_is_found() -> None:
    assert ELSEWHERE.search('<script src="//cdn.example.org/x.js">')
    assert ELSEWHERE.search('import "https://example.org/x.js"')


def test_the_lines_and_files_of_the_page_are_short_too() -> None:
    found = [line for name, text in assets().items() if not name.endswith(".svg")
             for line in long_lines(name, text) + long_files(name, text)]
    assert not found


def test_every_module_that_is_imported_is_there() -> None:
    there = assets()
    for name, text in there.items():
        for found in re.findall(r"""(?:from|import\()\s*["']\./([\w.]+)["']""", text):
            assert found in there, f"{name} imports {found}"


def test_the_page_is_installed_with_the_package() -> None:
    entry = f'"data_service.web.page" = ["{ASSETS.name}/*"]'
    assert entry in (ROOT / "pyproject.toml").read_text("utf-8")
