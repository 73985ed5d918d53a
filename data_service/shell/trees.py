"""Trees of files, walked from above, directories before what is in them.

What is in a directory is asked for when it is reached, and page by page: a walk needs memory for a
page of each directory that leads to where it is, however many files there are.
"""

from typing import Callable, Iterable, Iterator, List, TypeVar

from data_service.shell.arguments.items import Item
from data_service.shell.session import Session

Node = TypeVar("Node")


def depth_first(top: Node, below: Callable[[Node], Iterable[Node]]) -> Iterator[Node]:
    """The top and all below it. `below` is asked once the caller has done with a node."""
    stack = [iter([top])]
    while stack:
        for node in stack[-1]:
            yield node
            stack.append(iter(below(node)))
            break
        else:
            stack.pop()


def walk(session: Session, top: Item) -> Iterator[Item]:
    """The item and all below it; a directory that cannot be read is reported."""
    return depth_first(top, lambda item: children(session, item) if item.is_directory else ())


def children(session: Session, item: Item) -> Iterator[Item]:
    """What is in a directory; what cannot be read of it is left out, and reported."""
    with session.reporting(item.text):
        yield from item.children()


def change_each(
    session: Session, arguments: List[str], act: Callable[[Item], object], recursive: bool
) -> None:
    """Do `act` to what the arguments stand for, and, `recursive`, to what is below it after it.

    What is below a directory to which it could not be done stays as it is.
    """

    def change(item: Item) -> Iterable[Item]:
        if item.is_met_link:
            return ()  # What is behind it belongs to another tree, if not to another person.
        if not session.attempt(lambda: act(item), item.text):
            return ()
        return children(session, item) if recursive and item.is_directory else ()

    def visit(top: Item) -> None:
        for _ in depth_first(top, change):
            pass

    session.each(arguments, visit)
