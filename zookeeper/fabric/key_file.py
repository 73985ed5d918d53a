"""Files of keys: the cluster's own, from which all others come, and those issued from it.

Either is readable by its owner only. The cluster's is 32 to 4096 random bytes. An issued one is
text, and says whose it is; several of one principal may be written into one file, and so may those
of the daemons of one machine:

    # PyHDFS key of user:alice, issued 2026-11-27T17:40:00Z
    principal user:alice
    issued 1764265200
    name_node KEY-ID CALLER-KEY
    zookeeper KEY-ID CALLER-KEY
    serves KEY-ID SERVER-KEY            (of servers only)
"""

import errno
import os
import stat
from typing import BinaryIO, Dict, List, NamedTuple, Sequence, Tuple, Union

from zookeeper.fabric import keys
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.identity import (
    DATA_NODE,
    GATEWAY,
    METADATA,
    NAME_NODE,
    ZOOKEEPER,
    Principal,
)
from zookeeper.fabric.keys import CallerKey
from zookeeper.fabric.moments import shown

KEY_BYTES_MIN = 32
KEY_BYTES_MAX = 4096
FILE_BYTES_MAX = 65536

_TITLE = b"# PyHDFS key of "
_OWNER = b"principal "
"""How a file begins whose comments somebody took out: it must not be taken for a cluster's key."""

_SERVES = "serves"
_SERVERS = (DATA_NODE, METADATA, ZOOKEEPER)
"""Who is given a server key. A namenode, which gives keys out, needs the cluster key itself."""

_CALLED: Dict[str, Tuple[str, ...]] = {
    ZOOKEEPER: (),
    # The others that keep the record, from whom it takes what it missed.
    METADATA: (METADATA,),
    # A metadata service tells it how it is, and answers nothing else but to a namenode.
    GATEWAY: (NAME_NODE, ZOOKEEPER, METADATA),
}
"""Whom one is given keys to; who is not named here, to namenode and zookeeper."""


class ClusterKey(NamedTuple):
    """The cluster's own key: who has it may be anybody."""

    key: bytes

    def __repr__(self) -> str:
        return f"<ClusterKey {keys.key_id(self.key).hex()}>"

    def serving(self, server: str) -> Dict[bytes, bytes]:
        """The keys of a server, by the id of the cluster key that each comes from."""
        return {keys.key_id(self.key): keys.server_key(self.key, server)}

    def calling(self, server: str, principal: str, now: int) -> List[CallerKey]:
        """The keys with which a principal calls a server, issued `now`."""
        key = keys.caller_key(keys.server_key(self.key, server), principal, now)
        return [CallerKey(key, keys.key_id(self.key), now)]

    def allows(self, _principal: str) -> bool:
        """Whether the holder may introduce himself so."""
        return True


class IssuedKeys(NamedTuple):
    """What one principal was given, or the daemons of one machine: whose each key is, and for whom
    it is good."""

    principals: Tuple[str, ...]
    callers: Tuple[Tuple[str, str, CallerKey], ...]
    servers: Tuple[Tuple[str, bytes, bytes], ...]

    def __repr__(self) -> str:
        return f"<IssuedKeys of {self.owner}>"

    @property
    def owner(self) -> str:
        """Whose they are, for people."""
        return " and ".join(self.principals)

    def serving(self, server: str) -> Dict[bytes, bytes]:
        """The keys of a server, by the id of the cluster key that each comes from."""
        return {key_id: key for owner, key_id, key in self.servers if owner == server}

    def calling(self, server: str, principal: str, _now: int) -> List[CallerKey]:
        """The keys with which a principal calls a server."""
        asked = (principal, server)
        return [key for owner, name, key in self.callers if (owner, name) == asked]

    def allows(self, principal: str) -> bool:
        """Whether the holder may introduce himself so."""
        return principal in self.principals


Keys = Union[ClusterKey, IssuedKeys]


def read(path: str) -> Keys:
    """What a key file holds. Raises SettingsError, one line: it is not there, others can open it,
    or nobody can make sense of it."""
    data = _private_contents(path)
    if data.startswith((_TITLE, _OWNER)):
        return _issued(path, data)
    if not KEY_BYTES_MIN <= len(data) <= KEY_BYTES_MAX:
        raise SettingsError(f"{path}: found a key of {len(data)} bytes, "
                            f"expected {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")
    if not any(data):
        raise SettingsError(f"{path}: found a key of zeros, expected random bytes")
    return ClusterKey(data)


def issue(cluster: Sequence[ClusterKey], principal: Principal, now: int) -> str:
    """The text of a key file for a principal; of every cluster key that is valid."""
    owner = str(principal)
    lines = [
        f"{_TITLE.decode()}{owner}, issued {shown(now)}",
        f"principal {owner}",
        f"issued {now}",
    ]
    for server in _CALLED.get(principal.role, (NAME_NODE, ZOOKEEPER)):
        for one in cluster:
            lines += [f"{server} {key.key_id.hex()} {key.key.hex()}"
                      for key in one.calling(server, owner, now)]
    for one in cluster:
        if principal.role in _SERVERS:
            lines += [f"{_SERVES} {key_id.hex()} {key.hex()}"
                      for key_id, key in one.serving(owner).items()]
    return "\n".join(lines) + "\n"


def how_to_get_one(principal: Principal) -> str:
    """What a user reads who has no key."""
    return (f"ask the administrator of the cluster for what `client.py issueKey {principal.name}` "
            "prints, and keep it there (chmod 600)")


def _issued(path: str, data: bytes) -> IssuedKeys:
    principals: List[str] = []
    issued = 0
    callers: List[Tuple[str, str, CallerKey]] = []
    servers: List[Tuple[str, bytes, bytes]] = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        word, _, rest = line.partition(" ")
        try:
            if word == "principal" and _may_join(rest, principals):
                principals = [one for one in principals if one != rest] + [rest]
            elif word == "issued":
                issued = int(rest)
                if not 0 <= issued < 1 << 63:
                    raise ValueError
            elif word in (NAME_NODE, ZOOKEEPER, METADATA, _SERVES):
                key_id, key = map(bytes.fromhex, rest.split())
                if (len(key_id), len(key)) != (keys.KEY_ID_BYTES, KEY_BYTES_MIN):
                    raise ValueError
                if word == _SERVES:
                    servers.append((principals[-1], key_id, key))
                else:
                    callers.append((principals[-1], word, CallerKey(key, key_id, issued)))
            elif line.strip() and not line.startswith("#"):
                raise ValueError
        except (ValueError, IndexError):
            # Not the line itself, which may be a key.
            raise SettingsError(f"{path}:{number}: found no line of a key file that issueKey "
                                "writes, for one principal or the daemons of one machine"
                                ) from None
    if not (callers or servers):
        raise SettingsError(f"{path}: found no key in this key file")
    return IssuedKeys(tuple(principals), tuple(callers), tuple(servers))


def _may_join(principal: str, others: Sequence[str]) -> bool:
    """Whether somebody's keys may stand behind those of others: a person's are nobody else's."""
    alone = [one for one in (principal, *others) if Principal.parse(one).role not in _SERVERS]
    return not alone or not others or set(others) == {principal}


def open_regular(path: str) -> BinaryIO:
    """A file that anybody may have put something else in the place of. Raises OSError, also for
    what is no file: a pipe would be waited for, by all who wait for the keys."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return open(descriptor, "rb")


def _private_contents(path: str) -> bytes:
    try:
        with open_regular(path) as file:
            # Of the very file that is read.
            _check_owner(path, os.fstat(file.fileno()))
            data = file.read(FILE_BYTES_MAX + 1)
    except SettingsError:
        raise  # It is an OSError, too, and says all that there is to say.
    except OSError as error:
        raise SettingsError(f"{path}: cannot read this key file: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: found more than {FILE_BYTES_MAX} bytes, expected a key file")
    return data


def _check_owner(path: str, found: os.stat_result) -> None:
    if found.st_mode & 0o077:
        raise SettingsError(f"{path}: found access for group or others, expected a key file that "
                            "only its owner can open (chmod 600)")
    if found.st_uid not in (0, os.geteuid()):
        raise SettingsError(f"{path}: found a key file of user id {found.st_uid}, expected one "
                            "of our own, or of root")
