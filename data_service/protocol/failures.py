"""Which datanodes a broken pipeline points at, in a form that fits into an error's message.

The deadlines are here, too: whoever waits for a pipeline must be more patient than those after it
in the pipeline, or it gives up before it is told which link broke.
"""

from typing import Sequence, Tuple

from zookeeper.fabric.errors import Busy, DfsError, PipelineFailed

_SEPARATOR = " | "
_PATIENCE_PER_NODE = 0.25


def reply_seconds(call_seconds: float, nodes_after: int) -> float:
    """How long to wait for the answer of a datanode that `nodes_after` others come after."""
    return call_seconds * (1.0 + _PATIENCE_PER_NODE * nodes_after)


def pipeline_failure(link: Sequence[str], reason: str) -> PipelineFailed:
    """The link (upstream node id, downstream node id) broke, seen from upstream."""
    return PipelineFailed(">".join(link) + _SEPARATOR + reason)


def seen_from_upstream(link: Sequence[str], error: DfsError) -> DfsError:
    """What a datanode tells of an error that the one after it had: whose link that was is kept."""
    if isinstance(error, (PipelineFailed, Busy)):
        # A datanode with as many transfers as it may have is no broken link.
        return error
    return pipeline_failure(link, error.message)


def broken_link(error: DfsError) -> Tuple[str, ...]:
    """The two node ids of a PipelineFailed, or nothing for another error."""
    if not isinstance(error, PipelineFailed):
        return ()
    link, separator, _ = error.message.partition(_SEPARATOR)
    ends = tuple(link.split(">"))
    return ends if separator and len(ends) == 2 and all(ends) else ()


def failure_reason(error: DfsError) -> str:
    """The message for a person, without the node ids."""
    return error.message.partition(_SEPARATOR)[2] if broken_link(error) else error.message
