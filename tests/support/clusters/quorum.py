"""Looks at the members of a real cluster's record, and keeps them busy."""

import threading
from types import TracebackType
from typing import Dict, List, Optional, Tuple, Type

from data_service.filesystem import FileSystem
from metadata_service.calls import MemberCalls
from metadata_service.exporting import ExportedImage
from metadata_service.quorum import OK, MemberStatus, Place
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import METADATA, Principal
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.settings import Address, load

SECONDS = 5.0


class Quorum:
    """The members of a cluster, asked as by one of them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def _pool(self, role: str) -> RemotePool:
        settings = load(str(self._cluster._config_of(role)))
        credentials = credentials_of(settings, Principal(METADATA))
        address = Address(*self._cluster.address(role))
        return RemotePool(METADATA, address, credentials, settings.network)

    def status(self, role: str) -> Optional[MemberStatus]:
        """What a member tells; None when it does not answer."""
        pool = self._pool(role)
        try:
            return MemberCalls(pool.perform, SECONDS).status()
        except DfsError:
            return None
        finally:
            pool.close()

    def image(self, role: str) -> Tuple[Place, str]:
        """Where the image of a member stands, and its digest."""
        pool = self._pool(role)
        try:
            with ExportedImage(MemberCalls(pool.perform, SECONDS)) as image:
                for _ in image.pages():
                    pass
                return image.place, image.finish()
        finally:
            pool.close()

    def wait_whole(self, *roles: str) -> Dict[str, MemberStatus]:
        """Wait until these members, all when none is named, are well, decide, and no others."""
        wanted = roles or tuple(self._cluster.members)
        found: Dict[str, MemberStatus] = {}

        def is_so() -> bool:
            for role in wanted:
                status = self.status(role)
                if status is None or status.state != OK:
                    return False
                found[role] = status
            ids = sorted(status.member_id for status in found.values())
            return all(
                [sorted(member_id for member_id, _ in some) for some in one.configuration.sets]
                == [ids] for one in found.values()
            )  # fmt: skip

        wait_until(is_so, what=f"{wanted} being the members, and well")
        return found

    def wait_at(self, address: Tuple[str, int]) -> None:
        """Wait until the only member is written to at this address, as its leader has it: for who
        put a proxy before it, since the leader knows it by its own address at first."""

        def is_so() -> bool:
            status = self.status("metadata")
            sets = status.configuration.sets if status is not None else ()
            return [[at for _, at in some] for some in sets] == [["{}:{}".format(*address)]]

        wait_until(is_so, what=f"the leader writing to the member at {address}")

    def wait_equal(self, *roles: str) -> None:
        """Wait until these members have the same image, at the same place."""
        wanted = roles or tuple(self._cluster.members)
        wait_until(lambda: len({self.image(role) for role in wanted}) == 1,
                   what=f"{wanted} having the same image")


class Load:
    """Makes directories in a thread, for `with`; at its end all that were acknowledged are there.

    What raises in the thread, raises at the end.
    """

    def __init__(self, cluster: Cluster, name: str = "load") -> None:
        self._cluster, self._name = cluster, name
        self.made: List[str] = []
        self._errors: List[DfsError] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        self.wait_more(5)
        return self

    def _run(self) -> None:
        try:
            with self._cluster.file_system() as file_system:
                file_system.mkdir(f"/{self._name}")
                while not self._stop.is_set():
                    path = f"/{self._name}/{len(self.made)}"
                    file_system.mkdir(path)
                    self.made.append(path)
        except DfsError as error:
            self._errors.append(error)

    def wait_more(self, count: int) -> None:
        """Wait until so many more were made."""
        goal = len(self.made) + count
        wait_until(lambda: len(self.made) >= goal or self._errors, what=f"{count} more directories")
        if self._errors:
            raise self._errors[0]

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            if self._errors:
                raise self._errors[0]
            with self._cluster.file_system() as file_system:
                self.check(file_system)

    def check(self, file_system: FileSystem) -> None:
        """Assert that all that was acknowledged is there."""
        found = {status.name for status in file_system.list(f"/{self._name}")}
        lost = {path.rpartition("/")[2] for path in self.made} - found
        assert not lost, f"acknowledged, and lost: {sorted(lost)[:10]}"
