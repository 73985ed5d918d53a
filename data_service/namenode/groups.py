"""Who is in which group: what the namenode's system says, and [groups] of config.ini.

The groups of a user are looked up here and nowhere else, so that a client cannot claim any.
"""

import grp
import os
import pwd
from typing import List

from zookeeper.fabric.settings import GroupsSettings


class Groups:
    """Finds the groups of users by name; [groups] is read once, the system's list at each call."""

    def __init__(self, settings: GroupsSettings) -> None:
        self._settings = settings

    def of(self, user: str) -> List[str]:
        """The groups of a user, each once, the system's first; none for an unknown user."""
        return list(dict.fromkeys((*system_groups(user), *self._settings.of(user))))

    def __repr__(self) -> str:
        return f"<Groups {sorted(self._settings.members)} and the system's>"


def system_groups(user: str) -> List[str]:
    """The groups of an OS user of this machine; a user that is not known here has none."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return []
    names = []
    for number in os.getgrouplist(user, entry.pw_gid):
        try:
            names.append(grp.getgrgid(number).gr_name)
        except KeyError:
            continue  # A group number without a name grants nothing here.
    return names
