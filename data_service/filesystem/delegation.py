"""Delegation tokens, for who lets others act for him."""

from data_service.protocol.namenode_calls import NameNodeCalls


class Delegation:
    """Of the user of this client: see `acting` for how one is shown."""

    def __init__(self, calls: NameNodeCalls) -> None:
        self._calls = calls

    def delegation_token(self, renewer: str = "") -> str:
        """A token: who has its text may act for this user, until it is over or cancelled. Nobody
        but `renewer`, a user, may prolong it. Empty in mode `simple`, where nobody needs one.

        Raises PermissionDenied for who acts by a token himself, QuotaExceeded for one too many.
        """
        return self._calls.get_delegation_token(renewer)

    def renew_delegation_token(self, token: str) -> int:
        """Prolong a token; until when it is good now, in milliseconds since 1970.

        Raises AuthenticationFailed for one that is over or was cancelled.
        """
        return self._calls.renew_delegation_token(token)

    def cancel_delegation_token(self, token: str) -> None:
        """Make a token void, at once and everywhere; for its owner or its renewer."""
        self._calls.cancel_delegation_token(token)
