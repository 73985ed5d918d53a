"""What the sections of config.ini have in common, when they are understood."""

from dataclasses import MISSING, FrozenInstanceError, field, fields
from typing import Any, NamedTuple, Tuple

from zookeeper.fabric.config_file import Kind


class Setting(NamedTuple):
    """One row of the table: kind, meaning for a person, keys in the file (the first one shown)."""

    kind: Kind
    meaning: str
    keys: Tuple[str, ...]


def setting(default: Any, kind: Kind, meaning: str, *keys: str) -> Any:
    """The field of a section that is this row; a callable makes the default anew."""
    metadata = {"setting": Setting(kind, meaning, keys)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


class Section:
    """What sections have in common: they are alike when their values are, and these never change.

    It is said here once. What dataclasses would write and compile for each of them anew takes a
    tenth of the time in which `ls` is done.
    """

    def __init__(self, **values: Any) -> None:
        for row in fields(self):  # type: ignore[arg-type]  # Each of them is a dataclass.
            default = row.default if row.default_factory is MISSING else row.default_factory()
            vars(self)[row.name] = values.pop(row.name, default)
        if values:
            raise TypeError(f"{type(self).__name__} has no {' and no '.join(values)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) or name not in type(self).__annotations__:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"
