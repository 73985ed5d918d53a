"""What becomes of delegation tokens: who gets one, who prolongs or cancels it, when it is over.

The rows here are the whole truth of a token's life; that its text is genuine, and its keys valid,
the calls have found before. A token is numbered by the edit that records it, which no other has.
Safe mode, which is about blocks, refuses none of this: who finds out what is missing must log in.
"""

from typing import List, Optional

from data_service.namenode.namespace.commits import Commits, Outcome
from data_service.namenode.namespace.image import DELEGATIONS, Image
from data_service.namenode.namespace.retries import NO_OP, Op
from data_service.protocol.delegation_tokens import Delegation
from metadata_service.edits import Change
from zookeeper.fabric.errors import AuthenticationFailed, PermissionDenied, QuotaExceeded

USERS_TOKENS_MAX = 1000
TOKENS_MAX = 100_000
"""A user's own, and all together: each is a row in memory."""

_ISSUE, _RENEW, _CANCEL = (
    "get_delegation_token", "renew_delegation_token", "cancel_delegation_token",
)  # fmt: skip


class Delegating:
    """The operations on them."""

    def __init__(self, image: Image, commits: Commits) -> None:
        self._known = image.given_tokens
        self._commits = commits

    def issue(self, op: Op, asked: Delegation, expires_ms: int) -> Outcome:
        """Give a token out like `asked`, good until then; it gets a number of its own. Raises
        QuotaExceeded."""
        repeated = self._commits.repeated(_ISSUE, op, int)
        if repeated is not None:
            delegation = self._known.find(repeated.result)
            if delegation is None:
                raise _not_known()
            if (delegation.owner, delegation.proxy) != (asked.owner, asked.proxy):
                # Who guesses a call of the user that he acts for must not get that one's own.
                raise PermissionDenied("this call was made by somebody else")
            return repeated._replace(result=delegation)
        if self._known.count_of(asked.owner) >= USERS_TOKENS_MAX:
            raise QuotaExceeded(
                f"{asked.owner} has {USERS_TOKENS_MAX} delegation tokens, which is the most: "
                "cancel some, or wait until they are over"
            )
        if len(self._known) >= TOKENS_MAX:
            raise QuotaExceeded(
                f"there are {TOKENS_MAX} delegation tokens, which is the most: try again when "
                "some are over"
            )
        delegation = asked._replace(number=self._commits.last_txid + 1)
        outcome = self._commits.commit(
            _ISSUE, op, [_put(delegation, expires_ms)], delegation.number
        )
        return outcome._replace(result=delegation)

    def renew(
        self, op: Op, user: str, delegation: Delegation, expires_ms: int, wall_ms: int
    ) -> Outcome:
        """Make a token good until `expires_ms`, or until its life must end; the result says which.

        Raises PermissionDenied unless its renewer asks, AuthenticationFailed when it is over.
        """
        repeated = self._commits.repeated(_RENEW, op, int)
        if repeated is not None:
            return repeated
        self._require_good(delegation, wall_ms)
        if user != delegation.renewer:
            raise PermissionDenied(
                f"{user} may not renew this delegation token of {delegation.owner}: its renewer "
                f"is {delegation.renewer or 'nobody'}"
            )
        expires_ms = min(expires_ms, delegation.max_ms)
        return self._commits.commit(_RENEW, op, [_put(delegation, expires_ms)], expires_ms)

    def cancel(self, op: Op, user: str, delegation: Delegation) -> Outcome:
        """Make a token void. Raises PermissionDenied unless its owner or its renewer asks."""
        repeated = self._commits.repeated(_CANCEL, op, type(None))
        if repeated is not None:
            return repeated
        if self._known.expires_ms(delegation) is None:
            raise _not_known()
        if user not in (delegation.owner, delegation.renewer):
            raise PermissionDenied(
                f"{user} may not cancel this delegation token, which is of {delegation.owner}"
            )
        return self._commits.commit(_CANCEL, op, [(DELEGATIONS, delegation.number, None)])

    def require_good(self, delegation: Delegation, wall_ms: int) -> Outcome:
        """Raises AuthenticationFailed when a token is not good (any more)."""
        self._require_good(delegation, wall_ms)
        return Outcome(None, None, 0)

    def forget_expired(self, wall_ms: int, looks: int) -> Optional[Outcome]:
        """Forget those of the next `looks` tokens that are over; None: there is nothing to do."""
        gone: List[Change] = [
            (DELEGATIONS, number, None) for number in self._known.expired(wall_ms, looks)
        ]
        return self._commits.commit("forget_tokens", NO_OP, gone) if gone else None

    def _require_good(self, delegation: Delegation, wall_ms: int) -> None:
        expires_ms = self._known.expires_ms(delegation)
        if expires_ms is None:
            raise _not_known()
        if wall_ms >= expires_ms:
            raise AuthenticationFailed(
                f"this delegation token of {delegation.owner} is over since "
                f"{(wall_ms - expires_ms) / 1000:.0f} seconds: get another one"
            )

    def __repr__(self) -> str:
        return f"<Delegating {self._known!r}>"


def _put(delegation: Delegation, expires_ms: int) -> Change:
    return DELEGATIONS, delegation.number, (*delegation, expires_ms)


def _not_known() -> AuthenticationFailed:
    return AuthenticationFailed(
        "this delegation token was cancelled, or is over for long: get another one"
    )
