"""The parameters of an operation: their values, checked, with HDFS's words for what is wrong."""

import re
from typing import Dict, NoReturn, Optional, Tuple

from data_service.web.exchange.remote_exceptions import ILLEGAL_ARGUMENT, RemoteException, refused
from data_service.web.exchange.targets import decoded

PARAMETERS_MAX = 200
LONG_MAX = (1 << 63) - 1
SHORT_MAX = (1 << 15) - 1
MODE_MAX = 0o1777
USER_CHARACTERS_MAX = 255

_RADIX_8 = re.compile(r"[+-]?[0-7]{1,20}")
_RADIX_10 = re.compile(r"[+-]?[0-9]{1,20}")
_USER = r"^[A-Za-z_][A-Za-z0-9._-]*[$]?$"


class Parameters:
    """Those of one request to an operation `op`, by their names in any case; of two with one name
    the first. An empty value is none."""

    def __init__(self, query: bytes) -> None:
        self._values: Dict[str, str] = {}
        pairs = query.split(b"&")
        if len(pairs) > PARAMETERS_MAX:
            raise refused(f"more than {PARAMETERS_MAX} parameters")
        for pair in pairs:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            known = self._values.setdefault(decoded(name, "query").lower(), "")
            if not known:
                self._values[decoded(name, "query").lower()] = decoded(value, "query")
        self.op = self.text("op").upper()

    def text(self, name: str, default: str = "") -> str:
        """A value as it is."""
        return self._values.get(name.lower()) or default

    def required(self, name: str) -> str:
        """A value that must be there."""
        value = self.text(name)
        if not value:
            raise RemoteException(
                ILLEGAL_ARGUMENT,
                f"Required param {name} for op: {self.op} is null or empty",
            )
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        """`true` or `false`, in any case."""
        value = self.text(name).lower()
        if value not in ("", "true", "false"):
            invalid(name, f'Failed to parse "{self.text(name)}" to Boolean.')
        return value == "true" if value else default

    def long(self, name: str, default: int = 0, least: int = 0) -> int:
        """A whole number from `least`."""
        found = self._number(name, least, LONG_MAX, "long")
        return default if found is None else found

    def perhaps_long(self, name: str) -> Optional[int]:
        """A whole number from 0, or nothing."""
        return self._number(name, 0, LONG_MAX, "long")

    def short(self, name: str, default: int = 0, least: int = 1) -> int:
        """A small whole number from `least`."""
        found = self._number(name, least, SHORT_MAX, "short")
        return default if found is None else found

    def mode(self, name: str, default: int) -> int:
        """Permission bits, octal."""
        text = self.text(name)
        if not text:
            return default
        if not _RADIX_8.fullmatch(text):
            invalid(name, f'Failed to parse "{text}" as a radix-8 short integer.')
        value = int(text, 8)
        if not 0 <= value <= MODE_MAX:
            limit, sign = (0, "<") if value < 0 else (MODE_MAX, ">")
            invalid(name, f"Invalid parameter range: {name} = {value:o} {sign} {limit:o}")
        return value

    def path(self, name: str) -> str:
        """An absolute path that must be there."""
        return self._absolute(name, self.required(name))

    def paths(self, name: str) -> Tuple[str, ...]:
        """A list of absolute paths, of which there must be one."""
        return tuple(self._absolute(name, path) for path in self.required(name).split(","))

    def user(self, name: str, default: str = "") -> str:
        """The name of a user."""
        return user_name(name, self.text(name, default))

    def _number(self, name: str, least: int, most: int, kind: str) -> Optional[int]:
        text = self.text(name)
        if not text or text == "null":
            return None
        if not _RADIX_10.fullmatch(text) or abs(int(text)) > most:
            invalid(name, f'Failed to parse "{text}" as a radix-10 {kind} integer.')
        value = int(text)
        if value < least:
            invalid(name, f"Invalid parameter range: {name} = {value} < {least}")
        return value

    @staticmethod
    def _absolute(name: str, value: str) -> str:
        if not value.startswith("/"):
            invalid(name, f'Invalid parameter value: {name} = "{value}" is not an absolute path.')
        return value


def user_name(name: str, value: str) -> str:
    """The value of `name`, a user's name or empty."""
    if value and not (len(value) <= USER_CHARACTERS_MAX and re.fullmatch(_USER, value)):
        invalid(name, f'Invalid parameter value: {name} = "{value:.300}" does not belong to the '
                      f"domain {_USER}")  # fmt: skip
    return value


def invalid(name: str, what: str) -> NoReturn:
    """Raise the error of a value that cannot be."""
    raise RemoteException(
        ILLEGAL_ARGUMENT, f'Invalid value for webhdfs parameter "{name}": {what}'
    )
