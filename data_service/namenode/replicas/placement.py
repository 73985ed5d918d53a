"""Which datanodes get a replica, and which of too many replicas goes.

As HDFS: the first replica is on the writer's own host when a datanode runs there, the second on
another rack, the third on the second's rack, and no rack gets more than its share. Within these
wishes a node is drawn at random, by its free space and against its load. Wishes give way when
no node meets them; that a node may take replicas, has none yet, is not excluded and has room never
does. Room that is promised to blocks on their way counts as a wish: a promise costs nothing, and
whoever gathered them would keep everybody else from writing. (Should all of them be kept, the disk
says that it is full.)
"""

from random import Random
from typing import AbstractSet, Callable, List, Sequence

from data_service.namenode.replicas.node import Node
from zookeeper.fabric.errors import NotEnoughReplicas


def choose_targets(nodes: Sequence[Node], count: int, holders: Sequence[Node],
                   writer_host: str, size: int, random: Random) -> List[Node]:
    """Up to `count` of `nodes` (takers, not excluded) for `size` bytes each, the first first.

    `holders` have or get a replica already: they are not chosen, and the racks are spread with
    them in mind. The answer is shorter, or empty, when fewer nodes have room.
    """
    left = [node for node in nodes if node not in holders and node.stats.remaining >= size]
    racks = len({node.info.rack for node in nodes} | {node.info.rack for node in holders})
    share = (len(holders) + count - 1) // racks + 2 if racks else 0
    placed = list(holders)
    chosen: List[Node] = []
    while left and len(chosen) < count:
        roomy = _prefer(left, lambda node: node.free >= size)
        fitting = _wished(roomy, placed, writer_host, racks, share)
        node = _draw(fitting, random)
        left.remove(node)
        placed.append(node)
        chosen.append(node)
    return chosen


def _wished(left: List[Node], placed: List[Node], writer_host: str, racks: int,
            share: int) -> List[Node]:
    """The nodes of `left` that meet the wishes for the next replica, as far as any do."""
    if not placed:
        return _prefer(left, lambda node: node.info.host == writer_host)
    hosts = {node.info.host for node in placed}
    on = [node.info.rack for node in placed]
    if racks > 1:
        if len(set(on)) == 1:
            left = _prefer(left, lambda node: node.info.rack != on[0])
        elif len(placed) == 2:
            left = _prefer(left, lambda node: node.info.rack == on[1])
        else:
            left = _prefer(left, lambda node: on.count(node.info.rack) < share)
    return _prefer(left, lambda node: node.info.host not in hosts)


def _prefer(nodes: List[Node], wish: Callable[[Node], bool]) -> List[Node]:
    return [node for node in nodes if wish(node)] or nodes


def _draw(nodes: List[Node], random: Random) -> Node:
    weights = [max(node.free, 1) / (1 + node.stats.streams + len(node.expected)) for node in nodes]
    point = random.random() * sum(weights)
    for node, weight in zip(nodes, weights):
        point -= weight
        if point < 0:
            return node
    return nodes[-1]


def choose_surplus(
    candidates: Sequence[Node], holders: Sequence[Node], wanted: int, block_id: int
) -> Node:
    """Which of the candidates among the holders of a block goes when there are too many.

    First of all one that came unasked to enough others, if these are on two racks, or are to be
    only one: it may be a lie, told to have the others removed. Else not the only one of its rack
    while others share one, then the one whose node has the least room.
    """
    racks = [node.info.rack for node in holders]
    crowded = [node for node in candidates if racks.count(node.info.rack) > 1]
    unasked = [node for node in candidates if block_id in node.unasked
               and len({other.info.rack for other in holders if other is not node})
               >= min(2, wanted, len(set(racks)))]
    return min(unasked or crowded or candidates,
               key=lambda node: (node.stats.remaining, node.index))


def refusal(label: str, running: int, excluded: AbstractSet[str], full: int,
            size: int) -> NotEnoughReplicas:
    """HDFS's words for a block of `size` bytes that can be placed nowhere, and how many of the
    running datanodes have no room for it; `label` is the file's path."""
    message = (
        f"File {label} could only be written to 0 of the 1 minReplication nodes. There are "
        f"{running} datanode(s) running and {len(excluded)} node(s) are excluded in this "
        "operation.")
    if full:
        message += f" {full} of them have no room for {size} bytes."
    return NotEnoughReplicas(message)
