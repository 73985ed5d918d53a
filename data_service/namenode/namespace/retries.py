"""Calls that may be repeated: their names, and the answers that a repetition gets.

Theory of operation. A client that lost an answer sends the same call again, with the same name, and
must get the same answer without a second effect. How late that comes depends on the client's
patience, so answers are kept by time (ten minutes, as HDFS's retrycache.expirytime.millis), and a
bound on memory takes the oldest answers of the user who has the most: nobody pushes out the answers
of others, under however many names of clients he calls.

A client that numbers its calls may tell, with each, the least number of those that it still waits
for (`floor`). What is below is over: its answers are forgotten, and should such a call arrive
late, after its client got an answer to a repetition, it is refused instead of run once more.

Time is told by `tick`; there is no clock here.
"""

from collections import OrderedDict, deque
from itertools import islice
from typing import Any, Deque, Dict, NamedTuple, Optional, Tuple

from zookeeper.fabric.errors import InvalidArgument, ProtocolViolation

KEEP_SECONDS = 600.0
"""How long an answer is kept at least, unless its user makes more calls than there is room for."""

FORGOTTEN_MAX = 1000
"""Answers that one tick forgets, which is a few milliseconds: others wait for the same lock."""

SETTLED_MAX = 100
"""Answers that one call has forgotten; calls make one each, so these are soon done."""

ENTRIES_MAX = 100_000
"""Answers kept in all: about 80 MB when every client made one call only."""

CLIENT_OF = "@"
"""Between the id of a client and its user; in no id, so that a name is of one user only."""


class Op(NamedTuple):
    """The name of a call: its client, and the client's number for it. Repetitions have the same.

    `digest` tells of the arguments: a call of the same name with others is no repetition. `floor`:
    the client waits for no call with a smaller number.
    """

    client_id: str
    number: int
    digest: str = ""
    floor: int = 0


NO_OP = Op("", 0)
"""The name of what the namenode does by itself; never remembered."""


class Answer(NamedTuple):
    """A remembered result, as JSON text; `recorded` with an edit, so that every namenode has it."""

    operation: str
    result: str
    txid: int
    digest: str = ""
    recorded: bool = True


class _Entry(NamedTuple):
    answer: Answer
    sequence: int


_Key = Tuple[str, int]


class RetryCache:
    """Answers to recent calls, so that a repeated call has one effect and one answer."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._entries: "OrderedDict[_Key, _Entry]" = OrderedDict()
        self._clients: Dict[str, "OrderedDict[int, None]"] = {}
        self._floors: Dict[str, int] = {}
        self._users: Dict[str, "OrderedDict[_Key, None]"] = {}
        # Users by how many answers they have, so that the greatest is found at once.
        self._sizes: Dict[int, "OrderedDict[str, None]"] = {}
        self._largest = 0
        self._sequence = 0
        # What has this sequence, or an earlier one, was kept for long enough.
        self._overdue = 0
        # (when, sequence): everything up to this one was there by then.
        self._marks: Deque[Tuple[float, int]] = deque()

    def get(self, op: Op) -> Optional[Answer]:
        """The answer to a call, if it is remembered; ProtocolViolation when the call is over."""
        client_id, number = op[:2]
        if number < self._floors.get(client_id, 0):
            raise ProtocolViolation(f"call {number} of this client is over: it came too late")
        entry = self._entries.get((client_id, number))
        return None if entry is None else entry.answer

    def put(self, op: Op, answer: Answer) -> None:
        """Remember the answer to a call that had none."""
        key = op[0], op[1]
        self._drop(key)
        self._sequence += 1
        self._entries[key] = _Entry(answer, self._sequence)
        self._clients.setdefault(key[0], OrderedDict())[key[1]] = None
        user = user_of(key[0])
        self._users.setdefault(user, OrderedDict())[key] = None
        self._resize(user, len(self._users[user]) - 1)
        if len(self._entries) > self._entries_max:
            greatest = next(iter(self._sizes[self._largest]))
            self._drop(next(iter(self._users[greatest])))

    def settle(self, client_id: str, floor: int) -> None:
        """The client waits for none of its calls below `floor` any more. To be told when it has
        an answer to a later one: who has none at all is forgotten, and his floor as well."""
        numbers = self._clients.get(client_id)
        if numbers is None or floor < self._floors.get(client_id, 1):
            return
        self._floors[client_id] = floor
        # They come in order, but for a few that time will take.
        for number in list(islice(numbers, SETTLED_MAX)):
            if number >= floor:
                break
            self._drop((client_id, number))

    def tick(self, now: float) -> None:
        """Time passes, in monotonic seconds: forget what was kept for long enough, some of it."""
        if not self._marks or self._marks[-1][1] < self._sequence:
            self._marks.append((now, self._sequence))
        while self._marks and now - self._marks[0][0] >= KEEP_SECONDS:
            self._overdue = self._marks.popleft()[1]
        for key, entry in list(islice(self._entries.items(), FORGOTTEN_MAX)):
            if entry.sequence > self._overdue:
                break
            self._drop(key)

    def forget_unrecorded(self) -> None:
        """Forget the answers that no edit has: they told of what is soft state."""
        for key in [key for key, entry in self._entries.items() if not entry.answer.recorded]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        if self._entries.pop(key, None) is None:
            return
        client_id, number = key
        numbers = self._clients[client_id]
        del numbers[number]
        if not numbers:
            del self._clients[client_id]
            self._floors.pop(client_id, None)
        user = user_of(client_id)
        keys = self._users[user]
        del keys[key]
        if not keys:
            del self._users[user]
        self._resize(user, len(keys) + 1)

    def _resize(self, user: str, before: int) -> None:
        """A user has one answer more or less than `before`."""
        if before:
            del self._sizes[before][user]
            if not self._sizes[before]:
                del self._sizes[before]
        size = len(self._users.get(user, ()))
        if size:
            self._sizes.setdefault(size, OrderedDict())[user] = None
        # It changes by one, so the greatest is this one, or where it was, or one below.
        self._largest = max(size, self._largest if self._largest in self._sizes else size)

    def __len__(self) -> int:
        return len(self._entries)

    def check(self) -> None:
        """Assert that the maps tell the same story, within the bounds."""
        assert len(self._entries) <= self._entries_max, "too many answers"
        keys = {(client, number) for client, all_ in self._clients.items() for number in all_}
        assert keys == set(self._entries), "clients"
        assert keys == {key for own in self._users.values() for key in own}, "users"
        sizes = {user: len(own) for user, own in self._users.items()}
        assert sizes == {user: n for n, users in self._sizes.items() for user in users}, "sizes"
        assert self._largest == max(sizes.values(), default=0), "the largest"
        assert set(self._floors) <= set(self._clients), "floors of nobody"


def check_op(op: Any) -> None:
    """Raise InvalidArgument when this cannot name a call."""
    client_id, number = op[:2]
    check_client(client_id)
    if type(number) is not int or not 0 <= number < 1 << 63:
        raise InvalidArgument("a call's number must be an integer from 0 to 2^63-1")


def check_client(client_id: str) -> None:
    """Raise InvalidArgument when this cannot be the id of a client."""
    if type(client_id) is not str or not 0 < len(client_id) <= 255 or not client_id.isprintable():
        raise InvalidArgument("a client's id must be printable text of 1 to 255 characters")


def user_of(client_id: str) -> str:
    """Whose client this is."""
    # His name may contain the mark, as `alice@EXAMPLE.COM` does; what stands before it does not.
    return client_id.partition(CLIENT_OF)[2]
