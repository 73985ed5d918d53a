"""Principals: what their text says, and as which user each of them acts."""

import pytest

from zookeeper.fabric.identity import ANONYMOUS, DATA_NODE, USER, Principal


@pytest.mark.parametrize(
    "text, principal, user",
    [
        ("user:alice", Principal(USER, "alice"), "alice"),
        ("user:a:b", Principal(USER, "a:b"), "a:b"),
        ("data_node", Principal(DATA_NODE), "data_node"),
        ("data_node:1801", Principal(DATA_NODE, "1801"), "data_node"),
        ("anonymous", ANONYMOUS, "anonymous"),
        ("user", Principal(USER), "user"),
        ("", Principal(""), ""),
    ],
)
def test_a_principal_is_written_as_it_is_read(text: str, principal: Principal, user: str) -> None:
    assert Principal.parse(text) == principal
    assert f"{principal}" == str(principal) == text
    assert principal.user == user


def test_the_name_of_a_daemon_is_no_users() -> None:
    assert Principal.parse("data_node:root").user != "root"


def test_a_role_is_all_of_its_word() -> None:
    assert Principal.parse("data_nodes:1").role != DATA_NODE
    assert Principal.parse("user:data_node:1").role == USER
    assert Principal.parse(":data_node").role == ""
