"""Whose the directories of one datanode are: of all identities that are found in them, one."""

import uuid
from collections import Counter
from typing import Dict, List, Sequence, Tuple

from data_service.datanode.store.volume import Volume
from zookeeper.fabric.errors import StartRefused


def choose(volumes: Sequence[Volume]) -> Tuple[str, str]:
    """(node id, cluster id) of the datanode that most of the working directories belong to, the
    first ones if in doubt; a new node id when all are new, and no cluster id before it has one.

    Those of another datanode or cluster have failed, and stay as they are. Raises StartRefused
    when nobody can tell.
    """
    working = [volume for volume in volumes if not volume.failed]
    owned = [volume for volume in working if volume.directory.version.node_id]
    if working and not owned and len(working) < len(volumes):
        raise StartRefused(
            f"whose {working[0].root} should be is not known, because no other directory "
            f"can be used: {'; '.join(volume.failed for volume in volumes if volume.failed)}"
        )
    versions = [volume.directory.version for volume in owned]
    node_id = _most_common([version.node_id for version in versions]) or uuid.uuid4().hex
    cluster_id = _most_common(
        [version.cluster_id for version in versions if version.node_id == node_id]
    )
    for volume in owned:
        _fail_stranger(volume, node_id, cluster_id)
    return node_id, cluster_id


def refuse_clones(volumes: List[Volume]) -> None:
    """Two directories of one storage id are copies of each other; StartRefused."""
    roots: Dict[str, str] = {}
    for volume in volumes:
        storage_id = volume.directory.version.storage_id
        other = roots.setdefault(storage_id, volume.root)
        if storage_id and other != volume.root:
            raise StartRefused(f"{volume.root} is a copy of {other}; move one of them away")


def _most_common(found: List[str]) -> str:
    # Of equal counts the first one that was met comes first.
    votes = Counter(name for name in found if name)
    return votes.most_common(1)[0][0] if votes else ""


def _fail_stranger(volume: Volume, node_id: str, cluster_id: str) -> None:
    version = volume.directory.version
    pairs = (
        ("datanode", version.node_id, node_id),
        ("cluster", version.cluster_id or cluster_id, cluster_id),
    )
    for what, found, own in pairs:
        if found != own:
            volume.fail(
                f"{volume.root} belongs to {what} {found}, the others to {what} {own}: "
                "check data_node_dir in config.ini"
            )
            # Whoever it belongs to may want it.
            volume.directory.close()
