"""How config.ini is written: strict sections, `key = value` lines, and kinds of values.

This reader knows no setting by name; `settings` tells it what sections and keys there are. Comments
are whole lines that begin with `#` or `;`: a value may hold both, since a path may. Every error is
a SettingsError of one line: file, line number, what was found, what was expected.
"""

from typing import Any, Callable, Dict, Iterable, Mapping, NamedTuple, Tuple

from zookeeper.fabric.errors import SettingsError

PORT = "<port>"
"""Stands for any port in the name of a key."""

NAME = "<name>"
"""Stands for any name as a whole key."""

_FILE_BYTES_MAX = 1 << 20
_TEN_YEARS_SECONDS = 315_360_000
_NAME_CHARACTERS_MAX = 255
_SIZE_SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._:%")


class Address(NamedTuple):
    """Where a process listens: host in lower case, port from 1 to 65535 (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address in `host:port` or `[IPv6]:port`; SettingsError tells what is wrong with it."""
    host, _, port = text.strip().rpartition(":")
    in_brackets = host.startswith("[") and host.endswith("]")
    name = (host[1:-1] if in_brackets else host).lower()
    if not is_host(name) or in_brackets != (":" in name):
        raise SettingsError(f"found {shown(text)}, expected host:port, such as localhost:1800 "
                            "or [::1]:1800")
    if not is_port(port):
        raise SettingsError(f"found {shown(text)}, expected a port from 1 to 65535 after the host")
    return Address(name, int(port))


def is_host(text: str) -> bool:
    """Whether this could be a host's name or address, in lower case and without brackets."""
    return 0 < len(text) <= 253 and _HOST_CHARACTERS.issuperset(text)


def is_port(text: str) -> bool:
    """Whether this is a port, written as one writes it (no sign, no zero in front)."""
    return _is_digits(text) and 1 <= int(text) <= 65535 and text[0] != "0"


def is_name(text: str) -> bool:
    """Whether this could be the name of a user or a group."""
    return 0 < len(text) <= _NAME_CHARACTERS_MAX and text.isprintable()


def shown(text: str) -> str:
    """What was found, quoted so that it can neither break a line nor fill the screen."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


class Kind(NamedTuple):
    """What a value may be; `expected` tells it to a person, with the limits.

    `read` turns text into the value. It raises ValueError for anything else, or a SettingsError
    where it knows better what is wrong. A path is made absolute by whoever knows the folder.
    """

    expected: str
    read: Callable[[str], Any]
    is_path: bool = False


def _checked(value: Any, is_right: bool) -> Any:
    if not is_right:
        raise ValueError(value)
    return value


def _within(read: Callable[[str], Any], least: Any, most: Any) -> Callable[[str], Any]:
    def read_within(text: str) -> Any:
        value = read(text)
        return _checked(value, least <= value <= most)

    return read_within


def _read_count(text: str) -> int:
    return int(_checked(text, _is_digits(text)))


def _read_size(text: str) -> int:
    factor = _SIZE_SUFFIXES.get(text[-1:].upper())
    return _read_count(text[:-1]) * factor if factor else _read_count(text)


def _read_number(text: str) -> float:
    # Only plain decimals: float() would take nan, inf, 1_0 and digits of other scripts too.
    return float(_checked(text, set(text) <= set("0123456789.")))


def _read_name(text: str) -> str:
    return str(_checked(text, is_name(text)))


def _read_proxy(text: str) -> Tuple[str, str]:
    proxy, _, user = text.rpartition("=")
    return _read_name(proxy.strip()), _read_name(user.strip())


def _read_origin(text: str) -> str:
    scheme, _, place = text.lower().partition("://")
    host = place.replace("[", "", 1).replace("]", "", 1)
    return f"{scheme}://{_checked(place, scheme in ('http', 'https') and is_host(host))}"


def _read_boolean(text: str) -> bool:
    return _checked(text.lower(), text.lower() in _TRUE + _FALSE) in _TRUE


def _read_list(text: str, read: Callable[[str], Any]) -> Tuple[Any, ...]:
    values = tuple(read(item.strip()) for item in text.split(","))
    for index, value in enumerate(values):
        if value in values[:index]:
            raise SettingsError(f"found {value} twice, expected it once")
    return values


def count(least: int, most: int) -> Kind:
    """Whole numbers within these limits."""
    return Kind(f"a whole number from {least} to {most}", _within(_read_count, least, most))


def size(least: str, most: str) -> Kind:
    """Numbers of bytes, with or without a suffix K, M, G or T (powers of 1024)."""
    return Kind(f"a number of bytes from {least} to {most}, such as 134217728 or 128M",
                _within(_read_size, _read_size(least), _read_size(most)))


def number(what: str, least: float, most: float) -> Kind:
    """Decimal numbers within these limits; `what` says of what."""
    return Kind(f"{what} from {least:g} to {most:.12g}", _within(_read_number, least, most))


def members(*counts: int) -> Kind:
    """Lists of host:port of which there are as many as one of `counts`: they decide by majority."""
    listed = f"{', '.join(map(str, counts[:-1]))} or {counts[-1]}"

    def read(text: str) -> Tuple[Address, ...]:
        addresses = _read_list(text, parse_address)
        return tuple(_checked(addresses, len(addresses) in counts))

    return Kind(f"a list of {listed} host:port, since of an even number no more may fail", read)


def text_that(is_right: Callable[[str], bool], expected: str) -> Kind:
    """Text for which `is_right` holds."""
    return Kind(expected, lambda text: _checked(text, is_right(text)))


SECONDS = number("a number of seconds", 0.2, _TEN_YEARS_SECONDS)
BOOLEAN = Kind("true or false", _read_boolean)
ADDRESSES = Kind("a list of host:port", lambda text: _read_list(text, parse_address))
PERHAPS_ADDRESSES = Kind(
    "a list of host:port or nothing", lambda text: _read_list(text, parse_address) if text else ())
PATH = Kind("a path", lambda text: _checked(text, text != ""), is_path=True)
PATHS = Kind("a list of paths", lambda text: _read_list(text, PATH.read), is_path=True)
OPTIONAL_PATH = Kind("a path or nothing", str, is_path=True)
MODE = text_that(lambda text: text in ("simple", "secret"), "simple or secret")
PERHAPS_HOST = text_that(lambda text: not text or is_host(text.lower()), "a host or nothing")
RACK = text_that(lambda text: text[:1] == "/" and " " not in text and len(text) <= 255,
                 "a path of racks, such as /default-rack")
PROXIES = Kind("a list of PROXY=USER, such as hue=alice, etl=*, or nothing",
               lambda text: _read_list(text, _read_proxy) if text else ())
USER_NAME = Kind("the name of a user", _read_name)
ORIGINS = Kind("a list of origins, such as https://hue.example.org:8888, or nothing",
               lambda text: _read_list(text, _read_origin) if text else ())
NAMES = Kind("a list of names", lambda text: _read_list(text, _read_name) if text else ())


class Line(NamedTuple):
    """One `key = value` and the number of its line."""

    number: int
    value: str


def read_file(path: str, known: Mapping[str, Iterable[str]]) -> Dict[str, Dict[str, Line]]:
    """Section -> key -> line of the file at `path`; `known` is section -> keys it may hold.

    Raises SettingsError for a file that cannot be read, is not UTF-8, or has an unknown or repeated
    section or key, a key outside of a section, or a line that is none of these.
    """
    found: Dict[str, Dict[str, Line]] = {}
    section = ""
    for line_number, line in enumerate(_contents(path).split("\n"), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1].strip()
            _expect_section(path, line_number, section, known, found)
            found[section] = {}
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not (key + value).isprintable():
            raise error_at(path, line_number, shown(line), "key = value or [section]")
        if not section:
            raise error_at(path, line_number, f"{shown(key)} outside of a section",
                           "a line such as [name_node] before it")
        _expect_key(path, line_number, section, key, known, found[section])
        found[section][key] = Line(line_number, value)
    return found


def error_at(path: str, line_number: int, found: str, expected: str) -> SettingsError:
    """The error for one line of a file."""
    return SettingsError(f"{path}:{line_number}: found {found}, expected {expected}")


def row_of(key: str, known: Iterable[str]) -> str:
    """The row of a section's table that a key belongs to, one of `known`; empty when to none.

    The port at the end of a key stands for `<port>`, and any name for `<name>`.
    """
    prefix, _, last = key.rpartition("_")
    row = f"{prefix}_{PORT}" if is_port(last) else key
    if row in known and PORT not in key:
        return row
    return NAME if NAME in known and is_name(key) else ""


def _contents(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{path}: cannot read this configuration file: {reason}") from None
    if len(data) > _FILE_BYTES_MAX:
        raise SettingsError(f"{path}: found over {_FILE_BYTES_MAX} bytes, expected less")
    try:
        return data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise error_at(path, line_number, "bytes that are not UTF-8", "UTF-8 text") from None


def _expect_section(path: str, line_number: int, section: str,
                    known: Mapping[str, Iterable[str]], found: Iterable[str]) -> None:
    if section in found:
        raise error_at(path, line_number, f"section {shown(section)} again", "each section once")
    if section not in known:
        raise error_at(path, line_number, f"unknown section {shown(section)}",
                       _nearest(section, known))


def _expect_key(path: str, line_number: int, section: str, key: str,
                known: Mapping[str, Iterable[str]], found: Mapping[str, Line]) -> None:
    if key in found:
        raise error_at(path, line_number, f"key {shown(key)} again",
                       f"it only once, as on line {found[key].number}")
    if row_of(key, known[section]):
        return
    homes = [other for other in known if row_of(key, known[other]) not in ("", NAME)]
    expected = f"it in [{homes[0]}]" if homes else _nearest(key, known[section])
    raise error_at(path, line_number, f"unknown key {shown(key)} in [{section}]", expected)


def _nearest(word: str, allowed: Iterable[str]) -> str:
    # Imported only here, after a mistake: it is slow to load and every start of a client counts.
    from difflib import get_close_matches

    names = list(allowed)
    near = get_close_matches(word.lower(), names, 1)
    return f"{shown(near[0])}, the nearest one" if near else "one of " + ", ".join(names)
