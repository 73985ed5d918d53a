"""What a namenode with many files is burdened with, while a probe tells what others wait."""

import sys
import time
from pathlib import Path
from typing import Callable, Iterator, List

from scripts.benchmark.latencies import Latency
from scripts.benchmark.namespace_core import BRANCHES, FLAT, FLAT_SHARE, OWNER, TOP
from scripts.benchmark.tiny_datanodes import NODES
from scripts.benchmark.trial import run
from scripts.benchmark.worker import ROOT, Worker

CLIENT = str(ROOT / "data_service" / "client.py")

PROBED = f"{FLAT}/part-00000"
PROBE_FOLDER = "/probe"

LEAST_SECONDS = 3.0
"""What is over sooner is done again, so that there are some dozens of calls."""

PURGE_SECONDS, COPY_SECONDS = 60.0, 30.0
"""After so long a purge, and the copying, have shown what they do to others."""


class Burdens:
    """The deeds, one after the other. The later ones take away what the earlier ones need."""

    def __init__(self, python: str, config: Path, errors: Path, files: int) -> None:
        self._python = python
        self._config = config
        self._errors = errors
        self._files = files

    def all(
        self, client: Worker, probe: Worker, nodes: Worker, when_started: Callable[[], None]
    ) -> Iterator[Latency]:
        """Do each of them; `when_started` is called when the cluster takes changes."""

        def start() -> None:
            # What is not reported yet must not be copied.
            client.do("safe_mode", action="enter")
            nodes.do("join")
            client.do("safe_mode", action="leave")

        def lose() -> None:
            nodes.do("lose")
            client.do("await_loss")
            client.do("await_copies", seconds=COPY_SECONDS)

        def purge() -> None:
            kept = self._files // FLAT_SHARE
            client.do("await_blocks", at_most=kept, seconds=PURGE_SECONDS)

        yield from self._probed(probe, "start: first block reports", start)
        client.do("warm_up", data_nodes=NODES, threads=1)
        when_started()
        yield from self._probed(probe, "nothing else", lambda: time.sleep(LEAST_SECONDS))
        deed = self._repeated(lambda: nodes.do("report"))
        yield from self._probed(probe, "full block reports", deed)
        for words in (["count", TOP], ["du", "-s", TOP], ["fsck", FLAT], ["ls", "-R", TOP]):
            yield from self._probed(probe, " ".join(words[:-1]), self._commands(words))
        quotas = self._commands(
            ["dfsadmin", "-setQuota", str(1 << 40), TOP], ["dfsadmin", "-clrQuota", TOP]
        )
        yield from self._probed(probe, "setQuota, clrQuota", quotas)
        words = ["rm", "-r", "-skipTrash", BRANCHES]
        deed = lambda: self._command(words, f"PYHDFS_USER={OWNER.user}")  # noqa: E731
        yield from self._probed(probe, "rm -r by an ordinary user", deed)
        yield from self._probed(probe, "purge of what was deleted", purge)
        yield from self._probed(probe, "copies after a lost datanode", lose)

    def _probed(
        self, probe: Worker, name: str, deed: Callable[[], object]
    ) -> Iterator[Latency]:
        probe.do("begin_probe", path=PROBED, folder=PROBE_FOLDER)
        started = time.perf_counter()
        deed()
        seconds = time.perf_counter() - started
        print(f"{name}: {seconds:,.1f} s", file=sys.stderr, flush=True)
        for call, (milliseconds, failed) in probe.ask("end_probe").items():
            yield Latency(name, seconds, call, tuple(milliseconds), failed)

    def _commands(self, *commands: List[str]) -> Callable[[], None]:
        def all_of_them() -> None:
            for words in commands:
                self._command(words)

        return self._repeated(all_of_them)

    def _command(self, words: List[str], *environment: str) -> None:
        command = [self._python, CLIENT, "--config", str(self._config), *words]
        run(["env", *environment, *command], self._errors)

    def _repeated(self, deed: Callable[[], object]) -> Callable[[], None]:
        def until_it_lasted() -> None:
            until = time.monotonic() + LEAST_SECONDS
            deed()
            while time.monotonic() < until:
                deed()

        return until_it_lasted
