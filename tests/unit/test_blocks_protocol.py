"""The identity of a block and its one name."""

from typing import Optional, Tuple

import pytest

from data_service.protocol.blocks import Block, parse_name
from zookeeper.fabric.kinds import INTEGER_MAX


@pytest.mark.parametrize("block_id, generation", [(0, 0), (1, 1), (1073741825, 1001),
                                                  (INTEGER_MAX, INTEGER_MAX)])
def test_a_name_leads_back_to_its_block(block_id: int, generation: int) -> None:
    block = Block(block_id, generation, 5)
    assert block.name == f"blk_{block_id}_{generation}"
    assert parse_name(block.name) == (block_id, generation)


@pytest.mark.parametrize("name", [
    "", "blk_1", "blk_1_", "blk__1", "blk_1_2_3", "blk_1_2.meta", "blk_1_2\n", " blk_1_2",
    "BLK_1_2",
    "blk_-1_2", "blk_1_+2", "blk_x_2", "blk_٣_2", "../blk_1_2",
    "blk_01_2", "blk_1_02", f"blk_{INTEGER_MAX + 1}_1", f"blk_1_{INTEGER_MAX + 1}",
    "blk_1_" + "9" * 20,
])
def test_no_other_name_is_a_replicas(name: str) -> None:
    found: Optional[Tuple[int, int]] = parse_name(name)
    assert found is None
