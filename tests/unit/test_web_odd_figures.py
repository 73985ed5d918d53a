"""Figures that no daemon should tell: they cost nobody else his."""

import json
import random
import re
from math import inf
from typing import Any, Tuple

import pytest

from data_service.web.figures.datanode_beans import datanode_beans
from data_service.web.figures.datanode_rows import DIRECTORY_STATE, READ, WRITTEN, datanode_rows
from data_service.web.figures.exposition import exposition
from data_service.web.figures.history import History
from data_service.web.figures.namenode_beans import namenode_beans
from data_service.web.figures.overview import overview
from data_service.web.figures.process_beans import process_beans
from data_service.web.figures.sound_figures import SAMPLES_MAX, sound
from tests.support.models.seen_cluster import look, node
from zookeeper.fabric.figures import (
    CALL_SECONDS,
    CALLS_FAILED,
    INFO,
    SECONDS,
    START_TIME,
    Family,
    Sample,
    counter,
    gauge,
    tagged,
)

GOOD = (
    gauge("a", "A.", 1.5),
    tagged("counter", "b", "B.", "call", {"x": 1.0, "y": 2.0}),
    Family("c", "histogram", "C.", (Sample((), (1.0, 2.0, 3.0, 9.0)),), (0.1, 1.0)),
)


def odd(*values: float, tags: Tuple[Tuple[str, str], ...] = (), **fields: Any) -> Family:
    """A family with one such sample."""
    return Family("a", "gauge", "A.", (Sample(tags, values),))._replace(**fields)


def test_what_makes_sense_is_all_there() -> None:
    assert sound(GOOD) == GOOD


@pytest.mark.parametrize("family", [
    odd(), odd(inf), odd(1.0, 2.0), odd(1.0, tags=(("x", "1"), ("x", "2"))),
    odd(1.0, tags=(("daemon", "other:1"),)), odd(1.0, kind="histogram", bounds=(0.1,)),
    odd(1.0, 2.0, inf, kind="histogram", bounds=(0.1,)), odd(1.0, kind="untold"),
    odd(1.0, 1.0, 1.0, 1.0, kind="histogram", bounds=(1.0, 1.0)),
    odd(1.0, 1.0, 1.0, kind="histogram", bounds=(inf,)), odd(1.0, bounds=(1.0,)),
])  # fmt: skip
def test_what_nobody_could_show_is_left_out(family: Family) -> None:
    assert not [sample for one in sound([family]) for sample in one.samples]
    assert sound([*GOOD[1:], family])[:2] == GOOD[1:]


def test_what_is_told_twice_is_told_once() -> None:
    twice = odd(1.0)._replace(samples=(Sample((), (1.0,)),) * 2)
    assert sound([twice, counter("a", "Else.", 3)]) == (odd(1.0),)


def test_one_daemon_tells_so_much_and_no_more() -> None:
    many = tagged("gauge", "m", "M.", "x", {str(number): 1.0 for number in range(SAMPLES_MAX)})
    assert sum(len(one.samples) for one in sound([many, *GOOD])) == SAMPLES_MAX


NAMES = (CALL_SECONDS, CALLS_FAILED, INFO, START_TIME, DIRECTORY_STATE, READ, WRITTEN,
         "pyhdfs_transfers", "process_resident_memory_bytes")  # fmt: skip


def _any_family(chance: random.Random) -> Family:
    bounds = chance.choice([(), SECONDS, (inf,), (1.0, 1.0), (2.0, 1.0)])

    def sample() -> Sample:
        tags = [(chance.choice(["call", "version", "directory", "role", "x"]),
                 chance.choice(["", "stat", 'a"\n', "é"])) for _ in range(chance.randrange(3))]
        count = chance.choice([0, 1, 2, len(bounds) + 2, 40])
        values = [chance.choice([0.0, 1.0, -1.0, inf, 9e18, 0.5]) for _ in range(count)]
        return Sample(tuple(tags), tuple(values))

    kind = chance.choice(["gauge", "counter", "histogram", "untold"])
    samples = tuple([sample() for _ in range(chance.randrange(4))])
    return Family(chance.choice(NAMES), kind, "\\", samples, bounds)


@pytest.mark.parametrize("seed", range(4))
def test_the_others_are_told_of_whatever_one_says(seed: int) -> None:
    chance = random.Random(seed)
    never = node()._replace(last_contact_seconds=inf, last_report_seconds=inf)
    for _ in range(60):
        first, last = [
            look(moment, nodes=(never, node(1802)), families={
                place: sound([_any_family(chance) for _ in range(8)])
                for place in ("localhost:1801", "localhost:18861")
            })
            for moment in (1.0, 11.0)
        ]  # fmt: skip
        history = History()
        history.add(first)
        history.add(last)
        told = [overview(last), datanode_rows(last), history.record(), process_beans(last),
                namenode_beans(last, True), datanode_beans(last, True)]
        json.dumps(told, allow_nan=False)  # A browser reads no other numbers.
        for line in exposition(last).decode().split("\n"):
            names = re.findall(r'[{,](\w+)="', line)
            assert len(names) == len(set(names)), line
