"""Whom a datanode lets at its blocks: who presents a token for just that."""

from typing import Callable, NamedTuple, Optional, Tuple

from data_service.protocol.block_tokens import (
    COPY,
    READ,
    SKEW,
    WRITE,
    Grant,
    behind,
    presenter,
    unseal,
)
from data_service.protocol.nodes import Targets
from zookeeper.fabric.auth import Keyring
from zookeeper.fabric.errors import PermissionDenied, TokenExpired
from zookeeper.fabric.identity import USER, Principal
from zookeeper.fabric.keys import CLOCK_SKEW_SECONDS
from zookeeper.fabric.moments import now
from zookeeper.fabric.settings import Address


class Permit(NamedTuple):
    """That a block may be written: for whom, which is nobody when that is not known; and the digest
    that it must have, where the namenode knows that."""

    user: str
    digest: bytes = b""


class Access:
    """Checks what callers present to the datanode at `address`, whose keys are on its `keyring`.

    Without one, in mode `simple`, everybody is let in. Tokens live `token_seconds`. Each check
    answers for whom it is done, whose share it takes: nobody's, where that is not known. What a
    gateway does for many users so takes no more of each than he has himself. It raises
    PermissionDenied, or TokenExpired for what was right.
    """

    def __init__(
        self,
        address: Address,
        keyring: Callable[[], Optional[Keyring]],
        token_seconds: float,
        clock: Callable[[], float] = now,
    ) -> None:
        self._own = str(address)
        self._keyring = keyring
        self._skew_ms = min(CLOCK_SKEW_SECONDS, SKEW * token_seconds) * 1000
        self._clock = clock

    def check_read(
        self, token: bytes, caller: Principal, block_id: int, generation: int
    ) -> str:
        """Whether the caller may read this block."""
        keyring = self._keyring()
        if keyring is None:
            return _named(caller)
        grant = self._opened(token, keyring, (READ,), (block_id, generation))
        self._check_presenter(grant, caller)
        return grant.user

    def check_write(
        self,
        token: bytes,
        caller: Principal,
        block: Tuple[int, int, int],
        targets: Targets,
    ) -> Permit:
        """Whether the caller may write this block (id, generation, bytes at most) here, and have
        it passed on to these targets."""
        keyring = self._keyring()
        if keyring is None:
            return Permit(_named(caller))
        *numbers, size = block
        grant = self._opened(token, keyring, (WRITE, COPY), tuple(numbers))
        if size > grant.block.length:
            raise PermissionDenied(f"this token is for {grant.block.length} bytes, not for {size}")
        self._check_presenter(grant, caller)
        onwards = [str(Address(target.host, target.port)) for target in targets]
        if onwards != list(behind(grant, self._own)):
            raise PermissionDenied("this token is for other datanodes behind this one")
        return Permit(grant.user, grant.digest)

    def _opened(
        self,
        token: bytes,
        keyring: Keyring,
        modes: Tuple[str, ...],
        block: Tuple[int, ...],
    ) -> Grant:
        grant = unseal(token, self._own, keyring.server_key)
        late = self._clock() * 1000 - grant.expires_ms
        if late > self._skew_ms:
            raise TokenExpired(
                f"this token expired {late / 1000:.0f} seconds ago, if the clocks here and at the "
                "namenode agree"
            )
        if grant.mode not in modes:
            raise PermissionDenied("this token is for another deed")
        if grant.block[:2] != block:
            raise PermissionDenied("this token is for another block")
        return grant

    def _check_presenter(self, grant: Grant, caller: Principal) -> None:
        if str(caller) != presenter(grant, self._own):
            raise PermissionDenied(f"this token was not given to {caller}")


def _named(caller: Principal) -> str:
    """The user who calls; a datanode does so for whom it does not say."""
    return str(caller) if caller.role == USER else ""
