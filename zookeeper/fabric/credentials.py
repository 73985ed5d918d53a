"""The credentials of mode `secret`: from files, which are looked at again whenever they are needed.

Theory of operation. A file that changed is read anew before the next handshake, so keys are
replaced and revoked while everybody goes on. What cannot be read then (an editor is half done, its
mode is wrong) leaves in force what was known before, and is said: no key is lost by a mistake, and
nobody who was revoked comes back by one.

While two cluster keys are valid, what is made from them is made from the older one, which everybody
knows; who dials tries the other one next. So the order in which files are replaced on the machines
does not matter.
"""

import os
from typing import Any, Callable, Dict, Generic, Iterator, Mapping, Optional, Tuple, TypeVar

from zookeeper.fabric import key_file, logs, revocation, web_password
from zookeeper.fabric.auth import SECRET, Credentials, Introduction, Keyring
from zookeeper.fabric.errors import SettingsError
from zookeeper.fabric.identity import DATA_NODE, GATEWAY, NAME_NODE, USER, Principal, server_at
from zookeeper.fabric.key_file import ClusterKey, IssuedKeys, Keys
from zookeeper.fabric.keys import TICKET_SECONDS, CallerKey
from zookeeper.fabric.moments import now
from zookeeper.fabric.settings import Settings

log = logs.get("keys")

KEY_FILE_VARIABLE = "PYHDFS_KEY_FILE"
OWN_KEY_FILE = "~/.pyhdfs/key"
"""Where a user keeps his key when the file of the settings is not for him."""

T = TypeVar("T")


class _File(Generic[T]):
    """What a file says, as of the last time that it could be read.

    One that is missing says `without`, if that is given: `at_first` only until it was there.
    """

    def __init__(
        self,
        path: str,
        read: Callable[[str], T],
        without: Optional[T] = None,
        at_first: bool = False,
    ) -> None:
        """Raises SettingsError when it cannot be read."""
        self._path = path
        self._read = read
        self._without = without
        self._at_first = at_first
        self._known = self._look()
        """What the file was like, and what it says: one thing, so that no lock is needed."""
        self._looked_at = self._known[0]

    def value(self) -> T:
        """What it says now."""
        state = state_of(self._path)
        if state != self._known[0]:
            try:
                self.read_again()
            except SettingsError as error:
                # It is tried again at the next look: perhaps only descriptors were short.
                if state != self._looked_at:
                    effect = "what it said is in force"
                    log.error("file.not_read", error=error.message, effect=effect)
            self._looked_at = state
        return self._known[1]

    def read_again(self) -> None:
        """Look at it now; raises SettingsError, and goes on with what it said."""
        self._known = self._look()

    def _look(self) -> Tuple[Any, T]:
        state = state_of(self._path)
        if state is None and self._without is not None:
            return state, self._without
        value = self._read(self._path)
        if self._at_first:
            self._without = None
        return state, value


def state_of(path: str) -> Any:
    """What is another when the file may say something else; None when there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


class KeyCredentials(Credentials):
    """Those of a process that has a key file. May be used by any thread."""

    mode = SECRET

    def __init__(
        self, principal: Principal, path: str, old_path: str = "", revoked_path: str = ""
    ) -> None:
        """Raises SettingsError when there is no key for this principal."""
        super().__init__(principal)
        self._key_file = _File(path, self._read_own)
        none: Tuple[Keys, ...] = ()
        self._old_key_file = _File(old_path, self._read_old, none) if old_path else None
        nobody: Mapping[str, float] = {}
        # A list that vanished is being written anew, perhaps: nobody is forgiven meanwhile.
        self._revoked_file = (
            _File(revoked_path, revocation.read, nobody, at_first=True) if revoked_path else None
        )
        if revoked_path and state_of(revoked_path) is None:
            # It may come yet; but under a name that is written wrongly it would revoke nobody.
            log.warning("file.not_there", path=revoked_path, effect="nobody is revoked")
        self._nobodys_key = os.urandom(key_file.KEY_BYTES_MIN)
        self._held = self._keys()
        self._made: Tuple[Tuple[object, ...], Optional[Keyring]] = (), None
        """The last keyring behind what it was made of: one thing, as in `_File`."""

    def newest(self, server: str) -> CallerKey:
        """The newest key to a server that is alone of its role. Raises SettingsError without."""
        calling = self._key_file.value().calling(server, str(self.principal), int(now()))
        if not calling:
            raise SettingsError(f"the key file of {self.principal} has no key to the {server}")
        return calling[0]

    def to(self, server: str, address: Tuple[str, int]) -> Iterator[Introduction]:
        """See Credentials; nothing when there is no key for this server."""
        name, own = str(server_at(server, address)), str(self.principal)
        for one in self._keys():
            for key in one.calling(name, own, int(now())):
                yield Introduction(SECRET, self.principal, *key)

    def keyring(self) -> Keyring:
        """See Credentials."""
        held = self._held = self._keys()
        revoked = self._revoked_file.value() if self._revoked_file else {}
        made_of = (*held, revoked)
        known, keyring = self._made
        if keyring is None or made_of != known:
            server_keys: Dict[bytes, bytes] = {}
            for one in held:
                server_keys.update(one.serving(str(self.principal)))
            # To these the namenode lets users, which knows soon who was revoked.
            seconds = TICKET_SECONDS if self.principal.role == DATA_NODE else float("inf")
            keyring = Keyring(server_keys, revoked, self._nobodys_key, seconds)
            self._made = made_of, keyring
        return keyring

    def read_again(self) -> None:
        """See Credentials."""
        for file in (self._key_file, self._old_key_file, self._revoked_file):
            if file is not None:
                file.read_again()

    def cluster_key(self) -> bytes:
        """See Credentials; the older of two that are valid, which everybody knows.

        It is that of the last `keyring`, for which servers ask all the time: no file is looked at
        for each token.
        """
        first = self._held[0]
        return first.key if isinstance(first, ClusterKey) else b""

    def _keys(self) -> Tuple[Keys, ...]:
        old = self._old_key_file.value() if self._old_key_file else ()
        return (*old, self._key_file.value())

    def _read_own(self, path: str) -> Keys:
        found = key_file.read(path)
        if not found.allows(str(self.principal)):
            raise SettingsError(f"{path}: found the key of {_owner(found)}, "
                                f"expected that of {self.principal}")
        return found

    def _read_old(self, path: str) -> Tuple[Keys, ...]:
        return (self._read_own(path),)


class PasswordCredentials(Credentials):
    """Those of a user who gave his one key, to the namenode, as a word. He lets nobody in."""

    mode = SECRET

    def __init__(self, user: str, password: str) -> None:
        """Raises AuthenticationFailed for what is no web password."""
        super().__init__(Principal(USER, user))
        self._key = web_password.parse(password)

    def to(self, server: str, address: Tuple[str, int]) -> Iterator[Introduction]:
        """See Credentials; nothing for other servers."""
        if server == NAME_NODE:
            yield Introduction(SECRET, self.principal, *self._key)

    def keyring(self) -> Keyring:
        """See Credentials."""
        return Keyring({}, {}, os.urandom(key_file.KEY_BYTES_MIN))


def place(settings: Settings) -> str:
    """The path of this process's key file: $PYHDFS_KEY_FILE, else the setting's. SettingsError."""
    path = os.environ.get(KEY_FILE_VARIABLE) or settings.security.key_file
    if not path:
        raise SettingsError(f"{settings.path}: found no key_file in [security], "
                            "expected the path of a key")
    return path


def key_credentials(
    settings: Settings, principal: Principal, assumed: bool = False
) -> KeyCredentials:
    """Those of a process with these settings; one that is only `assumed` to be this principal is
    whom the key file names. Raises SettingsError.

    A user who cannot read the cluster's own key file has a file of his own.
    """
    path, security = place(settings), settings.security
    own = path == security.key_file
    if principal.role == USER and own and not os.access(path, os.R_OK):
        path, own = os.path.expanduser(OWN_KEY_FILE), False
        if not os.path.exists(path):
            raise SettingsError(f"cannot read {security.key_file}, and found no key of yours in "
                                f"{path}: " + key_file.how_to_get_one(principal))
    if assumed:
        found = key_file.read(path)
        if isinstance(found, IssuedKeys) and len(found.principals) == 1:
            principal = Principal.parse(found.owner)
    old_path = security.old_key_file if own else ""
    # These let nobody in, and may not be able to read who is to be kept out.
    revoked_path = security.revoked_file if principal.role not in (USER, GATEWAY) else ""
    return KeyCredentials(principal, path, old_path, revoked_path)


def cluster_keys(settings: Settings) -> Tuple[ClusterKey, ...]:
    """The cluster keys that are valid, from which others are issued. Raises SettingsError when
    this process has none.

    The newest comes first, so that who was given both is not refused for the old one, each time
    that he connects, once that is gone.
    """
    paths = [path for path in (settings.security.old_key_file,) if path and os.path.exists(path)]
    found = []
    for path in (place(settings), *paths):
        one = key_file.read(path)
        if not isinstance(one, ClusterKey):
            raise SettingsError(f"{path}: found the key of {one.owner}, expected that of the "
                                "cluster: only who has it issues others")
        found.append(one)
    return tuple(found)


def _owner(found: Keys) -> str:
    return found.owner if isinstance(found, IssuedKeys) else "the cluster"
