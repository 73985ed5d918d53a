"""Heads of responses, as bytes."""

from data_service.web.exchange.answers import Answer, head_of


def test_an_answer_brings_headers_of_its_own() -> None:
    answer = Answer(200, b"abc", headers=(("ETag", '"1"'), ("Cache-Control", "no-store")))
    lines = head_of(answer, keeps_open=True, chunked=False).decode().split("\r\n")
    assert 'ETag: "1"' in lines and "Content-Length: 3" in lines
    assert [line for line in lines if line.startswith("Cache-Control")] == [
        "Cache-Control: no-store"]


def test_what_a_browser_has_already_has_no_length() -> None:
    assert b"Content-Length" not in head_of(Answer(304), keeps_open=True, chunked=False)
    assert b"Content-Length: 0" in head_of(Answer(200), keeps_open=True, chunked=False)
