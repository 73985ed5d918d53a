"""Which datanodes a broken pipeline points at, in a form that fits into an error's message."""

from typing import Sequence, Tuple

from zookeeper.fabric.errors import DfsError, PipelineFailed

_SEPARATOR = " | "


def pipeline_failure(link: Sequence[str], reason: str) -> PipelineFailed:
    """The link (upstream node id, downstream node id) broke, seen from upstream."""
    return PipelineFailed(">".join(link) + _SEPARATOR + reason)


def broken_link(error: DfsError) -> Tuple[str, ...]:
    """The two node ids of a PipelineFailed, or nothing for another error."""
    if not isinstance(error, PipelineFailed):
        return ()
    link, separator, _ = error.message.partition(_SEPARATOR)
    return tuple(link.split(">")) if separator else ()


def failure_reason(error: DfsError) -> str:
    """The message for a person, without the node ids."""
    return error.message.rpartition(_SEPARATOR)[2]
