"""Checks of what a peer sent: exact types, since a subclass or a bool can behave like anything."""

from typing import Any, Tuple

from data_service.protocol.blocks import Block
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.kinds import INTEGER_MAX

PORT_MAX = 65535
TARGETS_MAX = 512
TEXT_CHARACTERS_MAX = 65536
"""Longer texts are refused before anybody looks at them, or puts them into a message."""
LABEL_MAX = 255


def check_integers(*values: Any) -> None:
    """Each value is an int from 0 to 2^63 - 1."""
    for value in values:
        if type(value) is not int or not 0 <= value <= INTEGER_MAX:
            raise InvalidArgument(f"expected a whole number, found {_shown(value)}")


def check_strings(*values: Any) -> None:
    """Each value is a str."""
    for value in values:
        if type(value) is not str:
            raise InvalidArgument(f"expected text, found {_shown(value)}")
        if len(value) > TEXT_CHARACTERS_MAX:
            raise InvalidArgument(
                f"a text of {len(value)} characters is too long: {TEXT_CHARACTERS_MAX} are allowed"
            )


def check_label(value: Any, what: str, longest: int = LABEL_MAX) -> None:
    """Printable text of 1 to `longest` characters: what is shown to people as it is."""
    if type(value) is not str or not 0 < len(value) <= longest or not value.isprintable():
        raise InvalidArgument(
            f"expected {what} of 1 to {longest} printable characters, found {_shown(value)}"
        )


def check_port(port: Any) -> None:
    """A port that somebody can listen on."""
    check_integers(port)
    if not 0 < port <= PORT_MAX:
        raise InvalidArgument(f"expected a port, found {port}")


def check_list(value: Any) -> Tuple[Any, ...]:
    """A tuple of whatever; what is in it is checked by the caller."""
    if type(value) is not tuple:
        raise InvalidArgument(f"expected a list, found {_shown(value)}")
    return value


def has_fields(row: Any, kind: Any) -> bool:
    """Whether a row has as many values as this NamedTuple, or as an older release of it."""
    most, optional = len(kind._fields), len(kind._field_defaults)
    return type(row) is tuple and most - optional <= len(row) <= most


def check_targets(targets: Any) -> None:
    """A tuple of (node id, host, port), as many as a pipeline may have at most."""
    if type(targets) is not tuple or len(targets) > TARGETS_MAX:
        raise InvalidArgument("expected a list of datanodes")
    for target in targets:
        if type(target) is not tuple or len(target) != 3:
            raise InvalidArgument("expected (node id, host, port)")
        check_strings(*target[:2])
        check_integers(target[2])
        if target[2] > PORT_MAX:
            raise InvalidArgument(f"expected a port, found {target[2]}")


def check_block(block: Any) -> None:
    """A tuple of (block id, generation, length)."""
    if type(block) is not tuple or len(block) != 3:
        raise InvalidArgument("expected (block id, generation, length)")
    check_integers(*block)


def check_blocks(blocks: Any) -> Tuple[Block, ...]:
    """A tuple of blocks, as Block values."""
    if type(blocks) is not tuple:
        raise InvalidArgument("expected a list of blocks")
    for block in blocks:
        check_block(block)
    return tuple(map(Block._make, blocks))


def check_operation(operation: Any) -> None:
    """An operation id: (client id, call number), perhaps with the least number still awaited."""
    if type(operation) is not tuple or len(operation) not in (2, 3):
        raise InvalidArgument("expected an operation id (client id, call number)")
    check_strings(operation[0])
    check_integers(*operation[1:])
    if operation[2:] > operation[1:2]:
        raise InvalidArgument("a client waits for the call that it makes")


def _shown(value: Any) -> str:
    if type(value) is int:
        # Python refuses to write some integers down: those of more than 4,300 digits.
        return str(value) if abs(value) <= 2 * INTEGER_MAX else "a number of many digits"
    if isinstance(value, (str, bytes)):
        # Only what is shown is formatted: it may be very long.
        return ascii(value[:60])
    if isinstance(value, tuple):
        return f"a list of {len(value)} values"
    return ascii(value)[:60]
