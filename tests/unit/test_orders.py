"""Orders of one datanode: sent when durable, a thousand at a time, repeated until confirmed."""

from typing import List

from data_service.namenode.replicas.orders import BLOCKS_PER_COMMAND, Order, Outbox
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, REPLICATE, REPORT, TRASH, Command


def order(block_id: int, action: str = DELETE, txid: int = 0) -> Order:
    """An order about generation 1 of a block."""
    return Order(Block(block_id, 1, 10), action, txid, False)


def take(outbox: Outbox, durable: int = 10, due: float = 5.0) -> List[tuple]:
    """What is sent: (action, ids)."""
    return [(command.action, [block.block_id for block in command.blocks])
            for command in outbox.take(durable, due, lambda _: True)]


def test_an_order_is_sent_once_until_its_time_is_over() -> None:
    outbox = Outbox()
    outbox.add(order(1))
    outbox.add(order(2, TRASH))
    assert take(outbox) == [(DELETE, [1]), (TRASH, [2])]
    assert take(outbox) == [] and len(outbox) == 2 and 1 in outbox
    assert outbox.overdue(4.9, 10) == []
    assert [late.block.block_id for late in outbox.overdue(5.0, 10)] == [1, 2]
    assert outbox.is_sent(1), "a repeated order may have been obeyed already"
    assert take(outbox) == [(DELETE, [1]), (TRASH, [2])]
    outbox.drop(1)
    assert outbox.ids() == [2] and repr(outbox) == "<Outbox 0 ready, 1 sent, 0 copies>"


def test_a_delete_waits_for_its_edit_and_hides_no_other_seaweedfs_1440() -> None:
    outbox = Outbox()
    outbox.add(order(1, txid=11))
    outbox.add(order(2, txid=10))
    assert take(outbox, durable=10) == [(DELETE, [2])]
    assert take(outbox, durable=11) == [(DELETE, [1])]


def test_a_command_has_at_most_a_thousand_blocks() -> None:
    outbox = Outbox()
    for block_id in range(BLOCKS_PER_COMMAND + 5):
        outbox.add(order(block_id))
    assert [len(ids) for _, ids in take(outbox)] == [BLOCKS_PER_COMMAND]
    assert [len(ids) for _, ids in take(outbox)] == [5]


def test_an_order_that_is_not_right_now_goes_behind_the_others() -> None:
    outbox = Outbox()
    for block_id in (1, 2):
        outbox.add(order(block_id))
    asked: List[int] = []

    def right(wish: Order) -> bool:
        asked.append(wish.block.block_id)
        return False

    assert outbox.take(0, 1.0, right) == ()
    outbox.add(order(3))
    assert outbox.take(0, 1.0, right) == () and asked == [1, 2, 1, 2, 3]


def test_an_order_about_another_file_of_the_block_has_no_object_hdfs_5438() -> None:
    outbox = Outbox()
    outbox.add(order(1))
    outbox.supersede(Block(1, 1, 10))
    assert 1 in outbox
    outbox.supersede(Block(1, 1, 7))
    assert 1 not in outbox
    outbox.add(order(1))
    take(outbox)
    outbox.supersede(Block(1, 2, 10))
    assert 1 not in outbox


def test_a_new_session_gets_what_still_holds_hdfs_1972() -> None:
    outbox = Outbox()
    for block_id in (1, 2, 3):
        outbox.add(order(block_id))
    take(outbox)
    outbox.copies[9] = Command(REPLICATE, (Block(9, 1, 1),), ())
    outbox.keep_only(lambda block_id: block_id == 2)
    assert take(outbox) == [(DELETE, [2])] and outbox.take_copies() == ()


def test_a_sleep_of_the_namenode_moves_the_repetition_hdfs_9107() -> None:
    outbox = Outbox()
    outbox.add(order(1))
    take(outbox, due=5.0)
    outbox.shift(100.0)
    assert outbox.overdue(104.0, 10) == [] and len(outbox.overdue(105.0, 10)) == 1


def test_copies_are_sent_once() -> None:
    outbox = Outbox()
    outbox.copies[9] = Command(REPLICATE, (Block(9, 1, 1),), ())
    assert [command.blocks[0].block_id for command in outbox.take_copies()] == [9]
    assert outbox.take_copies() == ()


def test_a_report_is_asked_for_once_and_not_after_a_new_session() -> None:
    outbox = Outbox()
    assert outbox.take_report() == ()
    outbox.report = True
    assert [command.action for command in outbox.take_report()] == [REPORT]
    assert outbox.take_report() == ()
    outbox.report = True
    outbox.keep_only(lambda block_id: True)
    assert outbox.take_report() == (), "a new session begins with a full report anyway"
