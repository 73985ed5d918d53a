"""chown and chgrp: owners and groups."""

import re
from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError, trying
from data_service.shell.session import Session
from data_service.shell.trees import change_each

_NAME = "[-_./@a-zA-Z0-9]"
_OWNER_AND_GROUP = re.compile(rf"\s*({_NAME}+)?(?::({_NAME}*))?\s*", re.ASCII)
_GROUP = re.compile(rf"\s*({_NAME}+)\s*", re.ASCII)


def chown(session: Session, words: List[str]) -> None:
    """Change owner, group, or both."""
    options = parse(words, "R", least=2)
    text = options.arguments.pop(0)
    found = _OWNER_AND_GROUP.fullmatch(text)
    if found is None:
        raise UsageError(f"'{text}' does not match expected pattern for [owner][:group].")
    owner, group = found.group(1) or "", found.group(2) or ""
    if not owner and not group:
        raise UsageError(f"'{text}' does not specify owner or group.")
    _give(session, options.arguments, owner, group, options.has("R"))


def chgrp(session: Session, words: List[str]) -> None:
    """Change the group."""
    options = parse(words, "R", least=2)
    text = options.arguments.pop(0)
    found = _GROUP.fullmatch(text)
    if found is None:
        raise UsageError(f"'{text}' does not match expected pattern for group")
    _give(session, options.arguments, "", found.group(1), options.has("R"))


def _give(
    session: Session, arguments: List[str], owner: str, group: str, recursive: bool
) -> None:
    def act(item: Item) -> None:
        new_owner = "" if owner == item.found.owner else owner
        new_group = "" if group == item.found.group else group
        if new_owner or new_group:
            with trying(f"changing ownership of '{item.text}'"):
                item.store.set_owner(item.path, new_owner, new_group)

    change_each(session, arguments, act, recursive)
