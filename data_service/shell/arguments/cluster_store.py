"""The cluster as a place where files are."""

from typing import Any

from data_service.shell.arguments.stores import Creation, Space


class ClusterStore:
    """The cluster. `uri` is how it is named in messages, `directory` where relative paths start."""

    is_local = False

    def __init__(self, filesystem: Any, uri: str, directory: str) -> None:
        self.filesystem = filesystem
        self.uri = uri
        self.directory = directory
        self.stat = filesystem.stat
        self.list = filesystem.list
        self.mkdir = filesystem.mkdir
        self.delete = filesystem.delete
        self.rename = filesystem.rename
        self.content_summary = filesystem.content_summary
        self.quota_usage = filesystem.quota_usage
        self.set_quota = filesystem.set_quota
        self.cat = filesystem.cat
        self.checksum = filesystem.file_checksum
        self.open = filesystem.open
        self.access = filesystem.access
        self.set_mode = filesystem.set_mode
        self.set_owner = filesystem.set_owner
        self.set_times = filesystem.set_times
        self.set_replication = filesystem.set_replication
        self.append = filesystem.append
        self.truncate = filesystem.truncate
        self.concat = filesystem.concat

    def create(self, path: str, creation: Creation = Creation()) -> Any:
        """A file to write in a `with`: it appears whole, or not at all when the block fails."""
        return self.filesystem.open(path, "wb", **creation._asdict())

    def put(self, local_path: str, path: str, creation: Creation, progress: Any) -> None:
        """Store a local file; `progress` is told (bytes done, bytes in all), or None."""
        self.filesystem.put(local_path, path, progress=progress, **creation._asdict())

    def put_stream(self, stream: Any, path: str, creation: Creation, progress: Any) -> None:
        """Store what a stream yields, of any length."""
        self.filesystem.put_stream(stream, path, progress=progress, **creation._asdict())

    def space(self) -> Space:
        """The sums over all live datanodes."""
        status = self.filesystem.cluster_status()
        return Space(status.capacity, status.used, status.remaining)
