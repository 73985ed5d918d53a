"""Odd messages at every port of real processes: nobody minds them, and who does is found out."""

import shutil
from pathlib import Path
from typing import Tuple

import pytest

from tests.fuzzing import surroundings
from tests.fuzzing.campaign import WARM_UP, Campaign, Found
from tests.support.clusters.cluster import ROOT, Cluster

NEVER = 600.0
"""Seconds after which a test would end for another reason than its number of shots."""


@pytest.mark.parametrize("security", ["simple", "secret"])
def test_nobody_minds_odd_messages(tmp_path: Path, security: str) -> None:
    with Cluster(tmp_path, data_nodes=2, security=security) as cluster:
        report = Campaign(cluster, seed=11).run(0, 1500, NEVER)
    assert report.shots == 1500 and report.service.calls > 0
    # They came through to where arguments are looked at, and some did what they said.
    assert report.outcomes["invalid_argument"] > 500 and report.outcomes["done"] > 20


SEEDS = (201, 13, 14, 15, 16, 17)
"""Of the attacks on a cluster with a planted hole, one after the other until it is found."""

HOLES = {
    "a check that lets texts pass for numbers": (
        "zookeeper/fabric/kinds.py", "if type(value) is not int:", "if value is None:",
        "a defect: the server met an unexpected error",
    ),
    "everybody may do everything": (
        "data_service/namenode/namespace/permissions.py",
        "    if not allows(inode, caller, access):", "    if False:", "/",
    ),
    "an error that nobody expects": (
        "zookeeper/fabric/frames.py", "except Exception as error:  # Whatever brine",
        "except KeyError as error:  # Whatever brine", "ERROR",
    ),
    "a thread that stays behind": (
        "zookeeper/fabric/acceptor.py", "            self._forget(client)\n\n    def _has_left",
        "            self._forget(client)\n            threading.Event().wait()\n\n"
        "    def _has_left", "threads",
    ),
}  # fmt: skip


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_who_minds_is_found_out(
    tmp_path: Path, hole: Tuple[str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "SETTLING_SECONDS", 2.0)
    path, right, wrong, told = hole
    root = tmp_path / "product"
    for name in ("zookeeper", "metadata_service", "data_service"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    text = (root / path).read_text("utf-8")
    assert right in text
    (root / path).write_text(text.replace(right, wrong), "utf-8")
    cluster = Cluster(tmp_path / "cluster", data_nodes=1)
    cluster.run_from(root, *cluster.roles)
    with pytest.raises(Found, match=told), cluster:
        # The first one met every hole when this was written. What shots a seed draws changes with
        # the calls that there are, and then another may be needed.
        for seed in SEEDS:
            Campaign(cluster, seed=seed).run(0, 2 * WARM_UP + 900, NEVER)
