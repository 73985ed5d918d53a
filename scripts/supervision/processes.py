"""Processes of this machine, as /proc tells of them: who they are, what they do, who listens."""

import ipaddress
import os
import socket
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Set, Union

_LISTENING = "0A"
_TICKS = os.sysconf("SC_CLK_TCK")


class Effort(NamedTuple):
    """What a process has used since it began: seconds of processor time, bytes moved."""

    cpu_seconds: float
    bytes_moved: int


class Listener(NamedTuple):
    """Who listens at an address; 0 and no words when that is not ours to know."""

    pid: int
    command: List[str]

    def __str__(self) -> str:
        return f"pid {self.pid} ({' '.join(self.command)})" if self.pid else "of another user"


def identity(pid: int) -> str:
    """When the process began, to the tick, or empty when there is none (or only a dead child)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = _fields(stat)
    state, start_ticks = fields[3 - 3], fields[22 - 3]
    return "" if state == "Z" else f"{boot} {start_ticks}"


def _fields(stat: str) -> List[str]:
    # Counted from 1; the name, which is the second, may hold blanks and brackets.
    return stat.rpartition(")")[2].split()


def command_of(pid: int) -> List[str]:
    """The words that the process was started with; none when that cannot be read."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in text.split(b"\0") if word]


def effort_of(pid: int) -> Effort:
    """What the process has used so far; zeros when that cannot be read."""
    try:
        fields = _fields(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace"))
        ticks = int(fields[14 - 3]) + int(fields[15 - 3])
        lines = Path(f"/proc/{pid}/io").read_text("ascii").splitlines()
    except OSError:
        return Effort(0.0, 0)
    counts = dict(line.split(": ") for line in lines)
    return Effort(ticks / _TICKS, int(counts["rchar"]) + int(counts["wchar"]))


def addresses_of(host: str) -> Set[str]:
    """The numeric addresses of a host name; none when nobody knows it."""
    if not host:
        return set()
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return set()
    return {str(where[0]).partition("%")[0] for _, _, _, _, where in found}


def is_of_this_machine(host: str) -> bool:
    """Whether a socket can be bound to one of the host's addresses."""
    return any(_can_bind(address) for address in addresses_of(host))


def _can_bind(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def listener_at(hosts: Set[str], port: int) -> Optional[Listener]:
    """Who listens at this port of one of these numeric addresses, or of all; None: nobody."""
    inodes = set(_listening(hosts, port))
    if not inodes:
        return None
    for name in os.listdir("/proc"):
        if name.isdecimal() and inodes & set(_sockets(f"/proc/{name}")):
            return Listener(int(name), command_of(int(name)))
    return Listener(0, [])


def _listening(hosts: Set[str], port: int) -> Iterator[str]:
    """The inodes of the sockets that listen there."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text("ascii").splitlines()[1:]
        except FileNotFoundError:
            continue  # A machine without IPv6.
        for fields in map(str.split, rows):
            local, state, inode = fields[1], fields[3], fields[9]
            host, _, hexadecimal = local.partition(":")
            if state == _LISTENING and int(hexadecimal, 16) == port:
                address = _address(host)
                if address.is_unspecified or str(address) in hosts:
                    yield inode


def _address(text: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address]:
    # The kernel prints words of four bytes in its own order.
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address


def _sockets(process: str) -> Iterator[str]:
    """The inodes of the sockets that a process has open, if it is ours to know."""
    try:
        names = os.listdir(f"{process}/fd")
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"{process}/fd/{name}")
        except OSError:
            continue  # Closed meanwhile.
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]
