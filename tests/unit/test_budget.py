"""The memory for messages: bounded in all, and taken from those who hold it for longest."""

import random
import threading
from typing import Dict, List

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric import budget as module
from zookeeper.fabric.budget import UNCOUNTED_BYTES, Account, Budget
from zookeeper.fabric.errors import Busy

MB = 1 << 20


class Clients:
    """Accounts on one budget; who is hung up on releases at once, as its thread would."""

    def __init__(self, bytes_max: int) -> None:
        self.now = 0.0
        self.budget = Budget(bytes_max, lambda: self.now)
        self.ended: List[str] = []
        self.accounts: Dict[str, Account] = {}

    def account(self, name: str, group: str) -> Account:
        """A connection of a group."""

        def end() -> None:
            self.ended.append(name)
            threading.Thread(target=self.accounts[name].release).start()

        self.accounts[name] = Account(self.budget, group, end)
        return self.accounts[name]

    def hold(self, name: str, group: str, count: int) -> Account:
        """A connection that holds so much, from now on."""
        self.now += 1.0
        account = self.account(name, group)
        self.budget.hold(account, count)
        self.budget.check()
        return account


def test_who_holds_for_longest_in_a_greedy_group_gives_way() -> None:
    clients = Clients(16 * MB)
    clients.hold("honest", "a", 1 * MB)
    for number in range(5):
        clients.hold(f"greedy {number}", "b", 3 * MB)
    clients.hold("new", "c", 3 * MB)
    assert clients.ended == ["greedy 0"]
    clients.hold("more", "b", 6 * MB)
    assert clients.ended == ["greedy 0", "greedy 1", "greedy 2"]
    assert clients.budget.used == 16 * MB


def test_among_many_small_groups_the_longest_gives_way() -> None:
    clients = Clients(16 * MB)
    for number in range(16):
        clients.hold(f"{number}", f"group {number}", 1 * MB)
    clients.hold("new", "new", 2 * MB)
    assert clients.ended == ["0", "1"]


def test_a_message_that_is_there_is_not_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    clients = Clients(16 * MB)
    clients.hold("running", "b", 10 * MB).settle()
    with pytest.raises(Busy):
        clients.hold("new", "b", 10 * MB)
    assert clients.ended == []
    clients.accounts["running"].release()
    clients.accounts["running"].release()
    clients.hold("newer", "b", 10 * MB)


def test_small_messages_are_not_counted_and_too_large_ones_refused() -> None:
    clients = Clients(MB)
    account = clients.account("a", "a")
    for hold in (account.hold_request, account.hold_reply):
        hold(UNCOUNTED_BYTES)
        assert clients.budget.used == 0
        with pytest.raises(Busy):
            hold(MB + 1)
    account.hold_request(MB // 16)
    account.hold_request(MB // 16 + 1)
    assert clients.budget.used == 8 * (MB // 16 + 1)
    account.release()
    assert repr(clients.budget) == "<Budget 0 of 1048576 bytes, 0 holders>"


def test_who_does_not_go_makes_others_wait_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    budget = Budget(MB)
    stubborn = Account(budget, "a", lambda: None)
    budget.hold(stubborn, MB)
    with pytest.raises(Busy):
        budget.hold(Account(budget, "b", lambda: None), MB)
    stubborn.release()
    budget.hold(Account(budget, "b", lambda: None), MB)


def test_a_message_waits_until_those_that_are_served_are_done() -> None:
    budget = Budget(MB)
    served, newcomer = Account(budget, "a", lambda: None), Account(budget, "b", lambda: None)
    budget.hold(served, MB)
    served.settle()
    thread = threading.Thread(target=budget.hold, args=(newcomer, MB))
    thread.start()
    served.release()
    thread.join(PATIENCE_SECONDS)
    assert newcomer.held == MB


@pytest.mark.parametrize("seed", range(5))
def test_threads_never_hold_more_than_there_is(seed: int) -> None:
    budget = Budget(8 * MB)
    chance = random.Random(seed)
    sizes = [chance.randrange(UNCOUNTED_BYTES + 1, 3 * MB) for _ in range(200)]
    done: List[int] = []

    def client(number: int) -> None:
        account = Account(budget, number % 3, lambda: None)
        for size in sizes[number::8]:
            try:
                budget.hold(account, size)
                account.settle()
                budget.check()
            except Busy:
                pass
            finally:
                account.release()
        done.append(number)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    wait_until(lambda: len(done) == 8)
    budget.check()
    assert budget.used == 0
