"""Which tokens the namenode gives out with its answers."""

from data_service.namenode.calls.tokens import Bearer, Tokens, no_key
from data_service.namenode.dates import wall_ms
from data_service.protocol.block_tokens import COPY, READ, WRITE, Grant, unseal
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import DELETE, REPLICATE, REPORT, Command, Target
from zookeeper.fabric import keys

CLUSTER = b"k" * 32
TARGETS = (Target("id-a", "a", 1801), Target("id-b", "::1", 1802))
LOCATED = LocatedBlock(Block(7, 3, 1000), 5000, TARGETS, False, b"", "claim")
ALICE, NODE = "user:alice", "data_node:c:1803"
TOKENS = Tokens(lambda: CLUSTER, 10.0)


def opened(token: bytes, at: str = "[::1]:1802") -> Grant:
    """What the second target finds in a token."""
    own = {keys.key_id(CLUSTER): keys.server_key(CLUSTER, f"data_node:{at}")}
    grant = unseal(token, at, own.get)
    assert 0 <= wall_ms() + 10_000 - grant.expires_ms < 60_000
    return grant._replace(expires_ms=0, key_id=b"")


def test_a_reader_may_read_the_block_from_all_who_have_it() -> None:
    (located,) = TOKENS.for_reader(Bearer(ALICE), [LOCATED])
    assert located._replace(token=b"") == LOCATED
    assert opened(located.token) == Grant(
        READ, ALICE, LOCATED.block, ("a:1801", "[::1]:1802"), 0)


def test_a_writer_may_write_as_much_as_a_block_has() -> None:
    located = TOKENS.for_writer(Bearer(ALICE), LOCATED._replace(block=Block(7, 3, 0)), 4096)
    assert located.block == Block(7, 3, 0)
    assert opened(located.token) == Grant(
        WRITE, ALICE, Block(7, 3, 4096), ("a:1801", "[::1]:1802"), 0)


def test_who_acts_for_another_bears_a_token_that_names_him() -> None:
    bearer = Bearer("gateway:web", ALICE)
    (read,) = TOKENS.for_reader(bearer, [LOCATED])
    for located in (read, TOKENS.for_writer(bearer, LOCATED, 4096)):
        grant = opened(located.token)
        assert (grant.bearer, grant.user) == ("gateway:web", ALICE)
    (own,) = TOKENS.for_reader(Bearer(ALICE), [LOCATED])
    assert opened(own.token).user == ALICE


def test_a_datanode_may_make_the_copy_that_it_is_told_to_make() -> None:
    others = (Command(DELETE, (LOCATED.block,), ()), Command(REPORT, (), ()))
    copy = Command(REPLICATE, (LOCATED.block,), TARGETS)
    *same, given = TOKENS.for_copier(NODE, (*others, copy), {7: bytes(16)}.__getitem__)
    assert tuple(same) == others and given._replace(token=b"") == copy
    assert opened(given.token) == Grant(
        COPY, NODE, LOCATED.block, ("a:1801", "[::1]:1802"), 0, digest=bytes(16))


def test_a_block_without_a_datanode_has_a_token_that_opens_nothing() -> None:
    assert TOKENS.for_writer(Bearer(ALICE), LOCATED._replace(targets=()), 1).targets == ()


def test_in_mode_simple_there_are_no_tokens() -> None:
    simple = Tokens(no_key, 10.0)
    # Without the last field: an older release takes no more than it knows.
    assert simple.for_reader(Bearer(ALICE), [LOCATED]) == (LOCATED[:-1],)
    copy = Command(REPLICATE, (LOCATED.block,), TARGETS)
    assert simple.for_copier(NODE, [copy], lambda _: b"") == (copy,)
