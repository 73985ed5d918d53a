"""The systemd services that scripts/setup_ec2.sh makes: whatever the path, and only real roles."""

import shlex
from pathlib import Path

import pytest

from scripts.supervision import systemd_unit
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.settings import Settings, load

CONFIG = """
[name_node]
name_node_hosts = 10.0.0.1:1800, 10.0.0.2:1800
[data_node]
data_node_hosts = 10.0.0.3:1801
data_node_dir_1801 = /mnt/a, /mnt/b
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A config.ini in a folder whose name has all that systemd would replace."""
    folder = tmp_path / "odd 50% $HOME"
    folder.mkdir()
    (folder / "config.ini").write_text(CONFIG)
    return load(str(folder / "config.ini"))


def line(text: str, key: str) -> str:
    """The value of a unit's key."""
    (found,) = [row for row in text.splitlines() if row.startswith(f"{key}=")]
    return found.partition("=")[2]


def test_a_path_may_have_blanks_and_marks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_unit, "ROOT", Path("/srv/new disk/100%"))
    text = systemd_unit.unit(settings, "name_node_1", "hdfs")
    command = line(text, "ExecStart").replace("%%", "%").replace("$$", "$")
    assert shlex.split(command) == [
        "/srv/new disk/100%/.venv/bin/python", "/srv/new disk/100%/data_service/name_node.py",
        "1", "--config", settings.path,
    ]  # fmt: skip
    assert "50%% $$HOME" in line(text, "ExecStart")
    assert line(text, "WorkingDirectory") == "/srv/new disk/100%%"
    assert line(text, "User") == "hdfs"


def test_a_service_is_tried_again_unless_its_configuration_is_wrong(settings: Settings) -> None:
    text = systemd_unit.unit(settings, "zookeeper", "hdfs")
    assert line(text, "StartLimitIntervalSec") == "0"
    assert line(text, "RestartPreventExitStatus") == "2"


@pytest.mark.parametrize("role", ["data_node_1", "data_node", "gateway", ""])
def test_a_role_that_is_not_configured_is_refused(settings: Settings, role: str) -> None:
    with pytest.raises(SettingsError, match="expected one of: zookeeper, metadata, name_node, "):
        systemd_unit.unit(settings, role, "hdfs")


def test_the_directories_of_a_role_are_told(settings: Settings) -> None:
    assert systemd_unit.directories(settings, "data_node_0") == ["/mnt/a", "/mnt/b"]
    for role in ("zookeeper", "metadata", "name_node"):
        (path,) = systemd_unit.directories(settings, role)
        assert path.endswith(f"odd 50% $HOME/data/{role}")


def test_several_of_a_kind_have_a_directory_each(settings: Settings) -> None:
    text = "[metadata]\nmetadata_hosts = a:1,b:1,a:2\nmetadata_dir = /mnt/m\n"
    Path(settings.path).write_text(text)
    several = load(settings.path)
    roles = ("metadata", "metadata_1", "metadata_2")
    found = [systemd_unit.directories(several, role) for role in roles]
    assert found == [["/mnt/m"], ["/mnt/m"], ["/mnt/m_2"]]
    assert 'metadata.py" "2" "--config"' in systemd_unit.unit(several, "metadata_2", "hdfs")


def test_one_daemon_is_one_service_however_it_is_called(settings: Settings) -> None:
    for words in (("name_node", "name_node_0"), ("metadata", "metadata_0"), ("name_node_1",)):
        assert {systemd_unit.service(settings, word) for word in words} == {f"pyhdfs-{words[0]}"}
        assert len({systemd_unit.unit(settings, word, "hdfs") for word in words}) == 1
    assert systemd_unit.service(settings, "data_node_0") == "pyhdfs-data_node_0"


def test_the_command_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYHDFS_CONFIG", settings.path)
    assert systemd_unit.main(["unit", "data_node_0", "hdfs"]) == 0
    assert systemd_unit.main(["directories", "data_node_0"]) == 0
    assert systemd_unit.main(["service", "metadata_0"]) == 0
    assert systemd_unit.main(["unit", "data_node_9", "hdfs"]) == 2
    assert systemd_unit.main([]) == 2
