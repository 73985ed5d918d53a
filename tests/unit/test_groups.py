"""Groups of users: the system's, and those of config.ini."""

import getpass
import grp
import pwd
from types import MappingProxyType

from data_service.namenode.groups import Groups, system_groups
from data_service.namenode.namespace.permissions import identify
from zookeeper.fabric.settings import GroupsSettings

NOBODY_AT_ALL = "no such user of any system"


def test_the_system_knows_who_runs_the_tests() -> None:
    user = getpass.getuser()
    primary = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    assert primary in system_groups(user)
    assert system_groups(NOBODY_AT_ALL) == []


def test_both_sources_count_and_nothing_twice() -> None:
    user = getpass.getuser()
    own = system_groups(user)
    members = {own[0]: (user,), "night shift": (NOBODY_AT_ALL, user)}
    groups = Groups(GroupsSettings(members=MappingProxyType(members)))
    assert groups.of(user) == [*own, "night shift"]
    assert groups.of(NOBODY_AT_ALL) == ["night shift"]


def test_a_line_in_the_file_makes_a_superuser() -> None:
    groups = Groups(GroupsSettings(members=MappingProxyType({"supergroup": (NOBODY_AT_ALL,)})))
    assert identify(NOBODY_AT_ALL, groups.of, "root", "supergroup").superuser
    assert not identify("another of no system", groups.of, "root", "supergroup").superuser
