"""When most members are lost for good: one that is left goes on, because a person says so.

Nobody can tell whether the lost ones had decided more, so this never happens by itself. Nothing but
what this member has is the record from then on: those that come back with the old one are not
asked any more.
"""

import os

from metadata_service.epochs import EPOCH_MAX
from metadata_service.member.member_record import Record, changed_rows, record_of
from metadata_service.quorum import Configuration
from metadata_service.record import distrust
from metadata_service.record.edit_log import EditLog
from metadata_service.record.opening import NAME, RESTORE_LEAP, opened_whole
from metadata_service.record.schema import STATE, put, read_state
from metadata_service.record.spare_promise import SparePromise, newest
from metadata_service.record.sqlite import close, translated
from zookeeper.fabric import logs
from zookeeper.fabric.errors import StartRefused

log = logs.get("metadata")


def go_alone(directory: str, address: str, cluster_id: str) -> None:
    """Make the member in `directory` the only one, at this address. The caller holds the lock of
    the directory. Raises StartRefused, and says what it has, unless it is of this cluster."""
    with opened_whole(directory, address, blank=True) as connection:
        with translated():
            noted = record_of(read_state(connection), EditLog(connection).last())
        record = newest(noted, SparePromise(directory, noted.cluster_id).read())
        _require(directory, record, cluster_id)
        if not record.is_alone:
            alone = _alone(record, address)
            with translated():
                connection.execute("BEGIN IMMEDIATE")
                for row in changed_rows(noted, alone).items():
                    put(connection, STATE, row)
                connection.execute("COMMIT")
            log.warning("member.alone", cluster=record.cluster_id, last=record.last.txid,
                        epoch=alone.promised)
        close(connection)


def _alone(record: Record, address: str) -> Record:
    """It leaps over the epochs that the others may have given out."""
    return record._replace(
        promised=min(record.promised + RESTORE_LEAP, EPOCH_MAX),
        owner="alone",
        configuration=Configuration(
            record.configuration.version + 1, (((record.member_id, address),),)
        ),
        witness=(),
    )


def _require(directory: str, record: Record, cluster_id: str) -> None:
    path = os.path.join(directory, NAME)
    if not record.configuration.sets:
        raise StartRefused(f"{path} holds no record: choose a member that has one")
    if record.cluster_id != cluster_id:
        why = distrust.noted(directory)
        doubt = f"Its rows are not what was decided ({why}). " if why else ""
        members = len(record.configuration.sets[-1])
        raise StartRefused(
            f"{path} is the record of cluster {record.cluster_id} up to edit {record.last.txid}, "
            f"kept by {members} members. What only the others have is lost for good if this one "
            "goes on alone: start the others if you can, or else choose the member with the latest "
            f"edit. {doubt}To go on alone, say so: --alone {record.cluster_id}"
        )
