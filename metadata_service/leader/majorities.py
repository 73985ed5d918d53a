"""What a majority of every set of members has reached: an edit, a moment, a version."""

from typing import AbstractSet, Mapping, Optional, TypeVar

from metadata_service.quorum import Configuration

Mark = TypeVar("Mark", int, float)


def reached(configuration: Configuration, marks: Mapping[str, Mark]) -> Optional[Mark]:
    """The largest mark that a majority of every set has reached, by each one's own (member id ->
    mark); None when too few have any, and when nobody decides."""
    least: Optional[Mark] = None
    for members in configuration.sets:
        own = sorted((marks[one] for one, _ in members if one in marks), reverse=True)
        needed = len(members) // 2 + 1
        if len(own) < needed:
            return None
        mark = own[needed - 1]
        least = mark if least is None else min(least, mark)
    return least


def is_majority(configuration: Configuration, members: AbstractSet[str]) -> bool:
    """Whether these members are a majority of every set, so that they decide."""
    return reached(configuration, dict.fromkeys(members, 0)) is not None


def can_decide(configuration: Configuration, lost: AbstractSet[str]) -> bool:
    """Whether the members but the lost ones are a majority of every set."""
    return is_majority(configuration, configuration.ids - lost)
