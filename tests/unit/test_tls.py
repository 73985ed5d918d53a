"""TLS: whom a certificate lets in, who is told what when it does not, and how it is renewed."""

import os
import shutil
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links import certificates
from tests.support.links.loopback import ROLE, Loopback, Recorder, credentials_as, works
from tests.support.links.middle import Middle
from tests.support.links.proxy import Proxy
from zookeeper.fabric import tls as tls_module
from zookeeper.fabric.auth import SECRET, SIMPLE
from zookeeper.fabric.errors import AuthenticationFailed, DfsError, SettingsError, Unavailable
from zookeeper.fabric.handshake import credentials_of, greet
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, USER, ZOOKEEPER, Principal
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, SecuritySettings, Settings
from zookeeper.fabric.sockets import dial
from zookeeper.fabric.stream import Stream
from zookeeper.fabric.tls import Tls

SECONDS = 1.0
"""What a handshake may take here."""


@pytest.fixture
def folder(certified: Path, tmp_path: Path) -> Path:
    """A copy of the certificates, which the test may spoil."""
    return Path(shutil.copytree(certified, tmp_path / "own"))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Certificates of another authority, for the same roles and hosts."""
    for role in (ZOOKEEPER, NAME_NODE):
        certificates.make(tmp_path / "other", role, role, *certificates.OWN_HOSTS)
    return tmp_path / "other"


@pytest.fixture
def served(folder: Path) -> Iterator[Loopback]:
    """A zookeeper that speaks TLS, and a user who does."""
    with Loopback(SECRET, handshake_timeout_seconds=SECONDS) as loopback:
        loopback.own_credentials.tls = Tls(certificates.settings(folder, ROLE), ROLE)
        loopback.credentials.tls = Tls(certificates.settings(folder, "nobody"), USER)
        yield loopback


def call(loopback: Loopback, who: str, tls: Optional[Tls], mode: str = SECRET) -> Remote:
    """A connection of somebody else's."""
    credentials = credentials_as(mode, who)
    credentials.tls = tls
    connected = Remote.connect(ROLE, loopback.address, credentials, loopback.network)
    return loopback.keep(connected)


def expired(folder: Path, name: str, *names: str) -> None:
    """A certificate that was valid for a moment."""
    certificates.make(folder, name, *names, days=0)
    made = time.time()
    wait_until(lambda: time.time() > made + 1.1)


# What is wrong with the files is said when they are read.


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "certificate_key_file"])
def test_a_file_that_is_missing_is_named(folder: Path, key: str) -> None:
    whole = certificates.settings(folder, ROLE)
    with pytest.raises(SettingsError, match=f"found no {key} in "):
        Tls(replace(whole, **{key: ""}), ROLE)
    with pytest.raises(SettingsError, match=f"^/absent: cannot read this {key}: No such file"):
        Tls(replace(whole, **{key: "/absent"}), ROLE)
    path = folder / "nonsense"
    path.touch(0o600)
    path.write_text("nonsense")
    with pytest.raises(SettingsError, match="found no certificate"):
        Tls(replace(whole, **{key: str(path)}), ROLE)


def test_a_key_that_others_can_read_is_none(folder: Path) -> None:
    (folder / f"{ROLE}.key").chmod(0o640)
    with pytest.raises(SettingsError, match="found access for group or others"):
        Tls(certificates.settings(folder, ROLE), ROLE)


def test_the_key_of_another_certificate_is_refused(folder: Path) -> None:
    shutil.copy(folder / f"{NAME_NODE}.key", folder / f"{ROLE}.key")
    with pytest.raises(SettingsError, match="goes with the key in .*: key values mismatch"):
        Tls(certificates.settings(folder, ROLE), ROLE)


def test_a_certificate_that_expired_starts_nothing(folder: Path) -> None:
    expired(folder, "old", ROLE, *certificates.OWN_HOSTS)
    with pytest.raises(SettingsError, match="that nobody accepts: certificate has expired"):
        Tls(certificates.settings(folder, "old"), ROLE)


def test_a_certificate_of_another_authority_starts_nothing(folder: Path, other: Path) -> None:
    shutil.copy(other / "ca.pem", folder / "ca.pem")
    with pytest.raises(SettingsError, match="that nobody accepts: "):
        Tls(certificates.settings(folder, ROLE), ROLE)


def test_a_certificate_of_another_role_starts_nothing(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"expected name_node\.pyhdfs among them"):
        Tls(certificates.settings(folder, DATA_NODE), NAME_NODE)


def test_names_that_are_believed_are_not_encrypted() -> None:
    settings = Settings(security=SecuritySettings(mode=SIMPLE, tls=True))
    with pytest.raises(SettingsError, match="tls = yes in mode simple"):
        credentials_of(settings, Principal(USER, "alice"))


# Who is let in.


def test_calls_work_over_the_network_and_on_this_machine(served: Loopback) -> None:
    assert works(served.remote())
    assert works(served.remote(here=True))


@pytest.mark.parametrize("host", certificates.OWN_HOSTS)
def test_a_server_has_the_names_of_its_hosts(served: Loopback, folder: Path, host: str) -> None:
    stream = dial(served.address, served.network, "zookeeper")
    tls = Tls(certificates.settings(folder, ""), USER)
    secured = served.keep(tls.call(stream, ROLE, host, time.monotonic() + SECONDS))
    assert secured.binding == served.own_credentials.tls._current().binding


def test_a_host_that_is_not_in_the_certificate_is_not_believed(folder: Path) -> None:
    certificates.make(folder, "elsewhere", ROLE, "elsewhere.example")
    with Loopback(SECRET) as loopback:
        loopback.own_credentials.tls = Tls(certificates.settings(folder, "elsewhere"), ROLE)
        with pytest.raises(AuthenticationFailed, match="does not prove who it is: IP address mis"):
            call(loopback, "user:alice", Tls(certificates.settings(folder, ""), USER))


def test_a_server_of_another_authority_is_not_believed(served: Loopback, other: Path) -> None:
    with pytest.raises(AuthenticationFailed, match="does not prove who it is: "):
        call(served, "user:alice", Tls(certificates.settings(other, ""), USER))
    assert works(served.remote())


def test_a_server_of_another_role_is_not_believed(folder: Path) -> None:
    with Loopback(SECRET) as loopback:
        loopback.own_credentials.tls = Tls(certificates.settings(folder, NAME_NODE), NAME_NODE)
        with pytest.raises(AuthenticationFailed, match=r"does not name zookeeper\.pyhdfs"):
            call(loopback, "user:alice", Tls(certificates.settings(folder, ""), USER))


def test_a_server_whose_certificate_expired_is_not_believed(folder: Path) -> None:
    expired(folder, "old", ROLE, *certificates.OWN_HOSTS)
    old = certificates.settings(folder, "old")
    with Loopback(SECRET) as loopback:
        tls = loopback.own_credentials.tls = Tls(certificates.settings(folder, ROLE), ROLE)
        # As if time had passed since it was read.
        tls._current().answering.load_cert_chain(old.certificate_file, old.certificate_key_file)
        with pytest.raises(AuthenticationFailed, match="who it is: certificate has expired"):
            call(loopback, "user:alice", Tls(certificates.settings(folder, ""), USER))


def test_a_daemon_shows_a_certificate_of_its_role(served: Loopback, folder: Path) -> None:
    without = Tls(certificates.settings(folder, ""), USER)
    others = Tls(certificates.settings(folder, DATA_NODE), DATA_NODE)
    own = Tls(certificates.settings(folder, NAME_NODE), NAME_NODE)
    for tls in (without, others):
        with pytest.raises(AuthenticationFailed, match="showed no certificate that names name_no"):
            call(served, "name_node", tls)
    assert works(call(served, "name_node", own))
    assert works(call(served, "user:alice", without))


def test_a_certificate_that_is_shown_must_be_good(
    served: Loopback, folder: Path, other: Path
) -> None:
    tls = Tls(certificates.settings(other, NAME_NODE), NAME_NODE)
    # It believes the server, which does not believe it.
    tls._current().calling.load_verify_locations(str(folder / "ca.pem"))
    for who in ("name_node", "user:alice"):
        with pytest.raises((AuthenticationFailed, Unavailable)):
            call(served, who, tls)
    assert works(served.remote())


# Who does not speak it is told so, at once.


@pytest.mark.parametrize("mode", [SIMPLE, SECRET])
def test_a_plain_client_is_told_to_speak_tls(served: Loopback, mode: str) -> None:
    with pytest.raises(AuthenticationFailed, match=r"speaks TLS only: set \[security\] tls = yes"):
        call(served, "user:alice", None, mode)


@pytest.mark.parametrize("mode", [SIMPLE, SECRET])
def test_a_client_with_tls_is_not_talked_out_of_it(folder: Path, mode: str) -> None:
    with Loopback(mode) as loopback:
        with pytest.raises(AuthenticationFailed, match=r"does not speak TLS: set \[security\] tls"):
            call(loopback, "user:alice", Tls(certificates.settings(folder, ""), USER))


@pytest.mark.parametrize("said", [b"\x16\x03\x01", b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
                                  b"\x16" * 5000, b"\x17\x03\x03\x00\x05hello", b"\x15\x03"])
def test_nonsense_costs_one_connection(served: Loopback, said: bytes) -> None:
    raw = served.raw()
    raw.send(said)
    raw.await_end()
    assert works(served.remote())


def test_a_handshake_that_drips_ends_in_its_time(served: Loopback) -> None:
    hello = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    raw, said, began = served.raw(), hello.read(), time.monotonic()
    raw.socket.settimeout(0.02)
    for position in range(len(said)):
        raw.send(said[position : position + 1])
        try:
            if not raw.socket.recv(1):
                break
        except socket.timeout:
            pass
        except ConnectionResetError:
            break
    assert position < len(said) - 1, "nobody cut it"
    assert time.monotonic() - began > 0.9 * SECONDS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version, spoken", [
    (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)
])
def test_old_tls_is_not_spoken(
    served: Loopback, folder: Path, version: ssl.TLSVersion, spoken: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(str(folder / "ca.pem"))
    raw = served.raw()
    try:
        context.wrap_socket(raw.socket, server_hostname="localhost").close()
    except ssl.SSLError:
        assert not spoken
    else:
        assert spoken


# Renewal.


def binding(loopback: Loopback) -> Any:
    """Which certificate the server shows a newcomer."""
    return loopback.remote()._stream.binding


def test_a_certificate_is_renewed_by_replacing_it(served: Loopback, folder: Path) -> None:
    early, before = served.remote(), binding(served)
    certificates.make(folder, ROLE, ROLE, *certificates.OWN_HOSTS)
    assert binding(served) != before
    assert works(early), "who is connected stays so"


def test_a_renewal_that_is_half_done_is_waited_for(served: Loopback, folder: Path) -> None:
    before, old = binding(served), (folder / f"{ROLE}.key").read_bytes()
    certificates.make(folder, ROLE, ROLE, *certificates.OWN_HOSTS)
    new = folder / f"{ROLE}.key"
    made = new.read_bytes()
    new.write_bytes(old)
    with Recorder() as log:
        assert binding(served) == before and works(served.remote())
    assert sum("certificate.not_renewed" in line for line in log.lines) == 1
    new.write_bytes(made)
    os.utime(new, ns=(1, 1))
    assert binding(served) != before


def test_a_renewal_that_could_not_be_read_is_read_later(
    served: Loopback, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object, **__: object) -> str:
        raise SettingsError("cannot read this ca_file: Too many open files")

    before = binding(served)
    certificates.make(folder, ROLE, ROLE, *certificates.OWN_HOSTS)
    with monkeypatch.context() as patched:
        patched.setattr(tls_module, "_readable", short)
        assert binding(served) == before
    # Nothing changed but that there are descriptors again.
    assert binding(served) != before


def test_another_authority_is_taken_as_soon_as_its_file_says_so(
    served: Loopback, folder: Path, other: Path
) -> None:
    tls = Tls(certificates.settings(other, ""), USER)
    with pytest.raises(DfsError):
        call(served, "user:alice", tls)
    both = (other / "ca.pem").read_bytes() + (folder / "ca.pem").read_bytes()
    (other / "ca.pem").write_bytes(both)
    assert works(call(served, "user:alice", tls))


# Somebody in between.


def flipped(piece: bytes) -> bytes:
    """The same with another last byte."""
    return piece[:-1] + bytes([piece[-1] ^ 1])


def test_who_listens_learns_nothing_and_changes_nothing(served: Loopback) -> None:
    heard: List[bytes] = []
    network, deadline = served.network, time.monotonic() + PATIENCE_SECONDS
    proxy = served.keep(Proxy(served.address))
    stream = dial(Address(*proxy.address), network, "zookeeper")
    secured = served.credentials.tls.call(stream, ROLE, "localhost", deadline)
    (introduction,) = served.credentials.to(ROLE, served.address)
    greet(secured, introduction, f"{ROLE}@{served.address}", deadline)
    remote = served.keep(Remote(secured, network, "zookeeper"))
    proxy.meddle = lambda piece: heard.append(piece) or piece  # type: ignore[func-returns-value]
    assert remote.call("echo", "delete /aaaaaaaa", timeout=PATIENCE_SECONDS) == "delete /aaaaaaaa"
    assert heard and b"aaaa" not in b"".join(heard)
    proxy.meddle = flipped
    with pytest.raises(Unavailable):
        remote.call("echo", "delete /aaaaaaaa", timeout=PATIENCE_SECONDS)
    assert works(served.remote())


def test_a_goodbye_is_an_end_also_of_who_stays_connected(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    near, far = (Stream(one, PATIENCE_SECONDS, "peer") for one in socket.socketpair())
    server = Tls(certificates.settings(folder, ROLE), ROLE)
    user = Tls(certificates.settings(folder, "nobody"), USER)
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(server.answer, far, deadline)
        caller = user.call(near, ROLE, "localhost", deadline)
        answering = answered.result()
    caller.write(b"word")
    assert not answering.hung_up() and answering.read(4) == b"word" and not answering.hung_up()
    with suppress(ssl.SSLWantReadError):  # An answer, which nobody here waits for.
        caller._tls.unwrap()
    caller._flush(deadline)
    assert answering.poll(PATIENCE_SECONDS) and answering.hung_up() and answering.hung_up()
    with pytest.raises(Unavailable):
        answering.read_by(1, time.monotonic() + PATIENCE_SECONDS)
    assert time.monotonic() < deadline, "nobody waited for more"
    caller.close()


def test_who_relays_through_his_own_tls_is_found_out(served: Loopback, folder: Path) -> None:
    """His certificate is good: stolen from another zookeeper of the same name, perhaps."""
    certificates.make(folder, "stolen", ROLE, *certificates.OWN_HOSTS)
    stolen = Tls(certificates.settings(folder, "stolen"), ROLE)
    with Middle(served.address, stolen) as middle:
        stream = served.keep(dial(middle.address, served.network, "zookeeper"))
        deadline = time.monotonic() + PATIENCE_SECONDS
        secured = served.keep(served.credentials.tls.call(stream, ROLE, "localhost", deadline))
        (introduction,) = served.credentials.to(ROLE, served.address)
        with pytest.raises(AuthenticationFailed, match="does not hold a valid key"):
            greet(secured, introduction, f"{ROLE}@{served.address}", deadline)
    assert middle.relayed > 200, "he passed on what both sides said"
    assert works(served.remote())
