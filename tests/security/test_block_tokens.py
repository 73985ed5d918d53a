"""Block tokens on real datanodes in mode secret: nobody gets at a block without one of his own.

The attackers have keys of their own and connect in their own names: what they lack is a token.
"""

import os
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import pytest

from data_service.filesystem import FileSystem
from data_service.protocol.block_tokens import COPY, MAC_BYTES, READ, WRITE, Grant, seal
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, block_digest, crc32
from data_service.protocol.files import LocatedBlock
from data_service.protocol.namenode_calls import AdmissionCalls
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from data_service.stubs.tickets import TicketCredentials
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise, role_at
from zookeeper.fabric.errors import (
    CorruptData,
    DfsError,
    InvalidArgument,
    PermissionDenied,
    PipelineFailed,
    TokenExpired,
)
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, USER, Principal, server_at
from zookeeper.fabric.key_file import ClusterKey, issue
from zookeeper.fabric.packets import PACKET_BYTES_MAX
from zookeeper.fabric.pools import LeaderPool
from zookeeper.fabric.settings import Address, Settings, load

BLOCK_SIZE = 64 << 10
DATA = noise(1000)
LIFE_MS = 600_000

Deed = Callable[[DataNodeClient, Target, LocatedBlock], Any]
"""Done to a block as one who is connected, at one datanode, with what a LocatedBlock holds."""


class Site:
    """A cluster with a file of alice's and one of bob's, and whoever calls its datanodes."""

    def __init__(self, cluster: Cluster, stack: ExitStack) -> None:
        self.cluster = cluster
        self.settings: Settings = load(str(cluster.config))
        self.key = Path(self.settings.security.key_file).read_bytes()
        self._stack = stack
        self._callers: Dict[Principal, DataNodeClient] = {}
        self.users = {name: stack.enter_context(FileSystem(self.settings_of(Principal(USER, name))))
                      for name in ("alice", "bob")}
        with cluster.file_system() as root:
            for name, fs in self.users.items():
                root.mkdir(f"/{name}", mode=0o700)
                root.set_owner(f"/{name}", name, name)
                fs.write_bytes(f"/{name}/f", DATA)
        self.own = self.located("alice")
        self.strange = self.located("bob")

    def settings_of(self, principal: Principal) -> Settings:
        """Those of somebody who holds the keys that are issued to him, and no others."""
        path = self.cluster.folder / f"{principal}.key"
        path.touch(0o600)
        path.write_text(issue([ClusterKey(self.key)], principal, int(time.time())))
        security = replace(self.settings.security, key_file=str(path))
        return replace(self.settings, security=security)

    def located(self, user: str) -> LocatedBlock:
        """The only block of a user's file, as the namenode tells him."""
        return self.users[user].block_locations(f"/{user}/f").blocks[0]

    def as_user(self, name: str) -> DataNodeClient:
        """The datanodes as this user calls them."""
        return self._calling(Principal(USER, name))

    def as_datanode(self, target: Target) -> DataNodeClient:
        """The datanodes as this one of them calls them."""
        return self._calling(server_at(DATA_NODE, address(target)))

    def _calling(self, principal: Principal) -> DataNodeClient:
        if principal not in self._callers:
            credentials = credentials_of(self.settings_of(principal), principal)
            network, hosts = self.settings.network, self.settings.name_node.hosts
            namenode = LeaderPool(NAME_NODE, hosts, credentials, network)
            tickets = TicketCredentials(credentials, AdmissionCalls(namenode.perform).ticket)
            client = DataNodeClient(tickets, network)
            self._stack.callback(namenode.close)
            self._stack.callback(client.close)
            self._callers[principal] = client
        return self._callers[principal]

    def outsider(self, located: LocatedBlock) -> Target:
        """The datanode that a block is not for."""
        nodes = self.targets()
        (other,) = set(nodes) - set(located.targets)
        return other

    def targets(self) -> List[Target]:
        """Every datanode."""
        with self.cluster.file_system() as root:
            return [Target(node.node_id, node.host, node.port) for node in root.datanodes()]

    def sealed(self, located: LocatedBlock, **other: Any) -> LocatedBlock:
        """The block with a token as the namenode would make it for alice to read, or another."""
        targets = tuple(map(address, located.targets))
        expires_ms = time.time_ns() // 1_000_000 + LIFE_MS
        grant = Grant(READ, "user:alice", located.block, targets, expires_ms)
        return located._replace(token=seal(grant._replace(**other), self.key))


def address(target: Target) -> str:
    """As it stands in tokens."""
    return str(Address(target.host, target.port))


def send(node: DataNodeClient, target: Target, located: LocatedBlock) -> bytes:
    """Have a datanode send the block."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    block = located.block
    body = node.at(target).read_block(*block[:2], 0, block.length, located.token)
    try:
        packet = body.receive(buffer)
        return b"" if packet is None else bytes(packet[0])
    finally:
        body.close()


def hand_over(node: DataNodeClient, target: Target, located: LocatedBlock) -> int:
    """Have a datanode hand its open file over."""
    body = node.here(target).open_replica(*located.block[:2], located.token)
    try:
        packet = body.receive_file(memoryview(bytearray(PACKET_BYTES_MAX)))
        assert packet is not None
        os.close(packet[1])
        return 1
    finally:
        body.close()


def sum_up(node: DataNodeClient, target: Target, located: LocatedBlock) -> Any:
    """Have a datanode hash the block."""
    return node.at(target).block_checksum(*located.block, located.token)


def write(
    node: DataNodeClient,
    target: Target,
    located: LocatedBlock,
    size: int = len(DATA),
    behind: Optional[Sequence[Target]] = None,
) -> Any:
    """Write DATA as a block, to a datanode and those behind it."""
    place = located.targets.index(target) if target in located.targets else 0
    rest = located.targets[place + 1 :] if behind is None else tuple(behind)
    calls = node.at(target)
    body = calls.write_block(*located.block[:2], size, located.token, tuple(rest))
    try:
        body.send(memoryview(DATA), crc32(DATA))
        return body.finish()
    finally:
        body.close()


READS: Tuple[Deed, ...] = (send, hand_over, sum_up)
DEEDS: Tuple[Deed, ...] = (*READS, write)


def refused(deed: Deed, *args: Any) -> DfsError:
    """The error of a deed that a token does not cover, which says no more than that."""
    with pytest.raises((PermissionDenied, TokenExpired), match="token") as caught:
        deed(*args)
    return caught.value


@pytest.fixture(scope="module", name="site")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tokens")
    own = {"replication_factor": 3, "block_size": BLOCK_SIZE}
    with Cluster(folder, 4, security="secret", name_node=own) as cluster, ExitStack() as stack:
        yield Site(cluster, stack)


def new_block(site: Site, number: int, **other: Any) -> LocatedBlock:
    """A block that nobody allocated, with a token to write it as the namenode would make it."""
    block = Block(1 << 50 | number, 1, BLOCK_SIZE)
    return site.sealed(site.own._replace(block=block), mode=WRITE, **other)


@pytest.mark.parametrize("deed", READS)
def test_who_may_read_a_block_reads_it_from_each_holder(site: Site, deed: Deed) -> None:
    for target in site.own.targets:
        assert deed(site.as_user("alice"), target, site.own)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("token", [b"", b"\0", b"token", bytes(300), b"\xff" * 4000])
def test_without_a_token_there_is_nothing(site: Site, deed: Deed, token: bytes) -> None:
    refused(deed, site.as_user("alice"), site.own.targets[0], site.own._replace(token=token))


@pytest.mark.parametrize("deed", READS)
def test_a_stolen_token_is_worth_nothing(site: Site, deed: Deed) -> None:
    thieves = [site.as_user("mallory"), site.as_user("bob"), site.as_datanode(site.own.targets[1])]
    for thief in thieves:
        assert "not given to" in refused(deed, thief, site.own.targets[0], site.own).message


def test_who_was_refused_is_told_in_the_log(site: Site) -> None:
    target = site.own.targets[0]
    log = site.cluster.folder / f"{role_at(site.cluster, target.port)}.log"

    def is_told() -> bool:
        # Of a flood of these, such as the one before, not all are.
        refused(sum_up, site.as_user("mallory"), target, site.own)
        return "call.refused call=block_checksum caller=user:mallory" in log.read_text()

    wait_until(is_told, what="the line in the log")


@pytest.mark.parametrize("deed", READS)
def test_a_token_opens_one_block_of_one_generation(site: Site, deed: Deed) -> None:
    own, strange = site.own.block, site.strange.block
    nobodys = strange._replace(block_id=strange.block_id + 1)
    for other in (strange, own._replace(generation=2), nobodys):
        target = (set(site.own.targets) & set(site.strange.targets)).pop()
        error = refused(deed, site.as_user("alice"), target, site.own._replace(block=other))
        assert "another block" in error.message


@pytest.mark.parametrize("deed", [send, sum_up])
def test_no_byte_of_a_token_can_be_changed(site: Site, deed: Deed) -> None:
    token, alice = site.own.token, site.as_user("alice")
    others = MAC_BYTES * (len(site.own.targets) - 1)
    for place in range(len(token) - others):
        changed = token[:place] + bytes([token[place] ^ (1 << place % 8)]) + token[place + 1 :]
        refused(deed, alice, site.own.targets[0], site.own._replace(token=changed))
    assert deed(alice, site.own.targets[0], site.own)


@pytest.mark.parametrize("deed", READS)
def test_a_token_is_for_the_datanodes_that_stand_in_it(site: Site, deed: Deed) -> None:
    error = refused(deed, site.as_user("alice"), site.outsider(site.own), site.own)
    assert "not for this datanode" in error.message


@pytest.mark.parametrize("deed", DEEDS)
def test_a_token_is_for_one_deed(site: Site, deed: Deed) -> None:
    wrong = (READ, "x") if deed is write else (WRITE, COPY, "x")
    for mode in wrong:
        located = site.sealed(site.own, mode=mode)
        error = refused(deed, site.as_user("alice"), site.own.targets[0], located)
        assert "another deed" in error.message


@pytest.mark.parametrize("deed", DEEDS)
def test_an_expired_token_is_told_apart(site: Site, deed: Deed) -> None:
    past = time.time_ns() // 1_000_000 - LIFE_MS
    mode = WRITE if deed is write else READ
    located = site.sealed(site.own, mode=mode, expires_ms=past)
    error = refused(deed, site.as_user("alice"), site.own.targets[0], located)
    assert isinstance(error, TokenExpired)


def test_a_writer_writes_his_block_through_its_pipeline_and_no_more(site: Site) -> None:
    alice, located = site.as_user("alice"), new_block(site, 1)
    first = located.targets[0]
    assert "for 65536 bytes" in refused(partial(write, size=BLOCK_SIZE + 1), alice, first,
                                        located).message
    for target in located.targets[1:]:
        assert "not given to" in refused(write, alice, target, located).message
    refused(write, site.as_user("mallory"), first, located)
    refused(write, alice, first, located._replace(block=Block(1 << 50, 1, BLOCK_SIZE)))
    assert len(write(alice, first, located)) == 3
    with pytest.raises(InvalidArgument):
        write(alice, first, located)


def test_a_datanode_connects_to_nobody_whom_its_caller_chose(site: Site) -> None:
    alice, located = site.as_user("alice"), new_block(site, 2)
    first, second, third = located.targets
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        trap = Target("trap", *listener.getsockname())
        outside = site.outsider(located)
        for behind in ([trap], [trap, third], [second, trap], [second, third, trap],
                       [third, second], [second], [], [outside], [second, outside],
                       [second._replace(port=third.port), third]):
            error = refused(partial(write, behind=behind), alice, first, located)
            assert "other datanodes" in error.message
        with pytest.raises(socket.timeout):
            listener.accept()


def test_the_first_datanode_of_a_pipeline_can_only_do_what_is_its_part(site: Site) -> None:
    located = new_block(site, 3)
    first, second, third = located.targets
    robber = site.as_datanode(first)
    refused(write, robber, first, located)
    refused(write, robber, third, located)
    refused(partial(write, behind=[]), robber, second, located)
    refused(partial(write, size=BLOCK_SIZE + 1), robber, second, located)
    refused(write, robber, second, located._replace(block=site.strange.block))
    refused(send, robber, second, site.own)
    assert len(write(robber, second, located)) == 2, "this is its part"
    with pytest.raises(InvalidArgument):
        write(robber, second, located)


def test_a_datanode_forges_no_token_with_the_key_that_it_holds(site: Site) -> None:
    """Its own MAC is all that it can make."""
    located = new_block(site, 4)
    first, second, _ = located.targets
    size = MAC_BYTES * len(located.targets)
    payload, macs = located.token[:-size], located.token[-size:]
    own = macs[:MAC_BYTES]
    refused(write, site.as_datanode(first), second, located._replace(token=payload + 3 * own))


def test_a_copy_goes_where_the_namenode_ordered_it(site: Site) -> None:
    located = new_block(site, 5)
    copier, *targets = site.targets()
    ordered = site.sealed(located._replace(targets=tuple(targets)), mode=COPY,
                          bearer=f"data_node:{address(copier)}")
    refused(write, site.as_user("alice"), targets[0], ordered)
    refused(write, site.as_datanode(targets[1]), targets[0], ordered)
    refused(partial(write, behind=[]), site.as_datanode(copier), targets[0], ordered)
    assert len(write(site.as_datanode(copier), targets[0], ordered)) == 3


def test_only_what_is_a_copy_is_taken_for_one(site: Site) -> None:
    located = new_block(site, 6)
    copier, *targets = site.targets()
    order = partial(site.sealed, located._replace(targets=tuple(targets)), mode=COPY,
                    bearer=f"data_node:{address(copier)}")
    with pytest.raises(CorruptData, match="a copy was ordered"):
        write(site.as_datanode(copier), targets[0], order(digest=bytes(16)))
    right = order(digest=block_digest(len(DATA), [crc32(DATA)]))

    def holders() -> int:
        try:
            return len(write(site.as_datanode(copier), targets[0], right))
        except PipelineFailed as error:
            # The datanodes behind the first give up what they have a moment after it.
            assert "exists here already" in error.message
            return 0

    wait_until(lambda: holders() == 3)
