"""The zookeeper's epochs on disk, when somebody takes the disk's directory away."""

import shutil
from pathlib import Path

from zookeeper.epoch_file import EpochFile


def test_a_directory_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    """There was no leader any more until the zookeeper was started anew."""
    file = EpochFile(str(tmp_path / "zk"))
    (tmp_path / "zk").mkdir()
    assert file.read() == {}
    file.write({"name_node": 1})
    shutil.rmtree(tmp_path / "zk")
    file.write({"name_node": 2})
    assert EpochFile(str(tmp_path / "zk")).read() == {"name_node": 2}
    assert sorted(path.name for path in (tmp_path / "zk").iterdir()) == ["epochs", "epochs.spare"]
