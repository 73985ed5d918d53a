"""The client library: `from data_service.filesystem import FileSystem`."""

from data_service.filesystem.file_system import FileSystem

__all__ = ["FileSystem"]
