"""The part of the PlainNameNode that changes files which exist."""

from typing import Any, Callable, Optional

from data_service.protocol.blocks import Block
from data_service.protocol.files import OpenedFile
from zookeeper.fabric.rpc import Service


class PlainRewriting(Service):
    """Calls of one connection; `_core` is the PlainNameNode."""

    _core: Any
    _open: Callable[[int], Any]
    _file: Callable[[str], Any]
    _located: Callable[[Block, int], Any]

    def exposed_append(self, op: tuple, path: str) -> tuple:
        """Open a file behind its last block."""
        self._core.enter("append", (op, path))
        with self._core.lock:
            return self._reopen(path, len(self._file(path).blocks))

    def exposed_truncate(self, op: tuple, path: str, length: int) -> Optional[tuple]:
        """Drop whole blocks, or open the file from the start of the block that is cut."""
        self._core.enter("truncate", (op, path, length))
        with self._core.lock:
            file, kept, start = self._file(path), 0, 0
            while kept < len(file.blocks) and start + file.blocks[kept].length <= length:
                start += file.blocks[kept].length
                kept += 1
            if start < length:
                return self._reopen(path, kept)
            for position in range(kept, len(file.blocks)):
                del file.blocks[position]
            return None

    def exposed_cut_block(self, client_id: str, file_id: int) -> tuple:
        """The block that is cut."""
        self._core.enter("cut_block", (client_id, file_id))
        with self._core.lock:
            opened = self._open(file_id)
            return self._located(self._file(opened.path).blocks[opened.kept], 0)

    def exposed_concat(self, op: tuple, path: str, sources: tuple) -> None:
        """Move blocks."""
        self._core.enter("concat", (op, path, sources))
        with self._core.lock:
            target = self._file(path)
            for source in sources:
                for block in self._core.files.pop(source).blocks.values():
                    target.blocks[len(target.blocks)] = block

    def exposed_resume_visible(
        self, client_id: str, file_id: int, tail: tuple, blocks: tuple, claim: str
    ) -> OpenedFile:
        """Take over a file that readers see."""
        self._core.enter("resume_visible", (client_id, file_id, tail, blocks, claim))
        with self._core.lock:
            (path,) = [p for p, file in self._core.files.items() if file.file_id == file_id]
            opened = self._reopen(path, tail[0])
            assert opened[3:6] == tail
            self._open(file_id).blocks.update(
                (position, Block._make(block)) for position, block, _ in blocks
            )
            return opened

    def _reopen(self, path: str, kept: int) -> OpenedFile:
        file = self._file(path)
        self._core.open[file.file_id] = file._replace(blocks={}, kept=kept)
        lengths = [block.length for _, block in sorted(file.blocks.items())]
        tail = (kept, sum(lengths[:kept]), sum(lengths))
        return OpenedFile(file.file_id, file.replication, file.block_size, *tail)
