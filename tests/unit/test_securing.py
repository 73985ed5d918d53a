"""Mode `secret` where nobody chose a mode: what becomes of config.ini, and the key."""

import os
from pathlib import Path

import pytest

from scripts.supervision.securing import choose_secret, make_key, with_mode_secret
from tests.support.clusters.cluster import ROOT
from zookeeper.fabric.settings import load

CHOSEN = "[security]\nmode = secret\nkey_file = data/cluster.key\n"


@pytest.mark.parametrize(
    "before, after",
    [
        ("", CHOSEN),
        ("\n", CHOSEN),
        ("[name_node]\nblock_size = 1M", "[name_node]\nblock_size = 1M\n\n" + CHOSEN),
        ("[security]\n", CHOSEN),
        (
            "[security]\n# which\n#mode = simple\n; where\n;  key_file =\n[client]\n#mode = x\n",
            "[security]\n# which\nmode = secret\n; where\nkey_file = data/cluster.key\n[client]\n"
            "#mode = x\n",
        ),
        (
            " [ security ] \r\n#mode = simple\r\n",
            " [ security ] \r\nkey_file = data/cluster.key\nmode = secret\n",
        ),
    ],
)
def test_a_file_without_a_choice_gets_one(before: str, after: str) -> None:
    assert with_mode_secret(before) == after
    assert with_mode_secret(after) == after


@pytest.mark.parametrize(
    "text",
    [
        "[security]\nmode = simple\n",
        "[security]\n mode=secret\n",
        "[client]\n[security]\n#mode = simple\nkey_file = /mine",
    ],
)
def test_a_choice_stays(text: str) -> None:
    assert with_mode_secret(text) == text


def test_the_file_of_the_repository_is_understood_afterwards(tmp_path: Path) -> None:
    config = tmp_path / "config.ini"
    config.write_bytes((ROOT / "config.ini").read_bytes())
    config.chmod(0o644)
    link = tmp_path / "link.ini"
    link.symlink_to(config)
    assert choose_secret(str(link)) and not choose_secret(str(link))
    settings = load(str(config))
    assert settings.security.mode == "secret"
    assert settings.security.key_file == str(tmp_path / "data" / "cluster.key")
    assert link.is_symlink() and config.stat().st_mode & 0o777 == 0o644
    before, after = (path.read_text().splitlines() for path in (ROOT / "config.ini", config))
    assert sum(old != new for old, new in zip(before, after)) == 2 and len(before) == len(after)


def test_a_key_is_made_once_and_only_its_owner_can_open_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "cluster.key"
    assert make_key(str(path))
    key = path.read_bytes()
    assert len(key) == 32 and path.stat().st_mode & 0o777 == 0o600
    assert not make_key(str(path)) and path.read_bytes() == key
    assert os.listdir(path.parent) == [path.name]
