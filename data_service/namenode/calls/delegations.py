"""The calls by which one acts for another: what makes his connection that of somebody else.

Theory of operation. A connection is of whoever proved himself when it was made: to him tickets and
block tokens are given, for it is he who dials datanodes. On whose behalf he calls is said once,
before the first call that depends on it, and from then on only that one's rights count. A token is
looked at again with each call, since it may have been cancelled, or its owner's key revoked; so is
whether a proxy may act for the user still.
"""

from typing import Callable, Optional

from data_service.namenode.calls.connection import PROXY, TOKEN, Acting, Connection
from data_service.namenode.calls.tokens import no_key
from data_service.namenode.dates import wall_ms
from data_service.namenode.namespace.retries import Op
from data_service.namenode.proxies import Proxies
from data_service.protocol.delegation_tokens import Delegation, seal, unseal
from zookeeper.fabric import keys
from zookeeper.fabric.auth import Keyring
from zookeeper.fabric.errors import AuthenticationFailed, PermissionDenied
from zookeeper.fabric.identity import GATEWAY, USER, Principal, check_plain_name
from zookeeper.fabric.settings import SecuritySettings


class Seals:
    """What a namenode makes tokens with and checks them by, the same for all connections:
    `cluster_key` is the one of which tokens are made now, `keyring` has all that are valid, and
    knows who is revoked. In mode `simple` there is neither."""

    def __init__(
        self,
        cluster_key: Callable[[], bytes],
        keyring: Callable[[], Optional[Keyring]],
        security: SecuritySettings,
    ) -> None:
        self._cluster_key = cluster_key
        self._keyring = keyring
        self._renew_ms = int(security.delegation_token_renew_seconds * 1000)
        self._max_ms = int(security.delegation_token_max_seconds * 1000)
        self.proxies = Proxies(security.proxy_users)

    def key_id(self) -> str:
        """That of the cluster key of which tokens are made now; empty in mode `simple`."""
        cluster_key = self._cluster_key()
        return keys.key_id(cluster_key).hex() if cluster_key else ""

    def last_ms(self, now_ms: int) -> int:
        """When the life of a token of now must end."""
        return now_ms + self._max_ms

    def expires_ms(self, now_ms: int) -> int:
        """Until when a token is good that is made or renewed now."""
        return now_ms + min(self._renew_ms, self._max_ms)

    def seal(self, delegation: Delegation) -> str:
        """The text of a token that is recorded."""
        server_key = self._known_keyring().server_key(bytes.fromhex(delegation.key_id))
        if server_key is None:
            raise AuthenticationFailed("the key of this delegation token was replaced just now")
        return seal(delegation, server_key)

    def unseal(self, text: str) -> Delegation:
        """What a token says; AuthenticationFailed for one that this cluster did not make."""
        return unseal(text, self._known_keyring().server_key)

    def require_valid(self, delegation: Delegation) -> None:
        """Raise AuthenticationFailed when a key that a token rests on is void: the cluster's, or
        its owner's, or its proxy's; or the proxy is none any more."""
        keyring, owner = self._known_keyring(), Principal(USER, delegation.owner)
        if keyring.server_key(bytes.fromhex(delegation.key_id)) is None:
            raise AuthenticationFailed("the key of this delegation token is not valid any more")
        revoked = keyring.revokes(delegation.proxy or str(owner), delegation.proved_at)
        if delegation.proxy:
            revoked |= keyring.revokes(str(owner), delegation.issued_ms // 1000)
            proxy = Principal.parse(delegation.proxy)
            revoked |= not self.proxies.allows(proxy, delegation.owner)
        if revoked:
            raise AuthenticationFailed(f"this delegation token of {owner.name} was revoked")

    def _known_keyring(self) -> Keyring:
        keyring = self._keyring()
        if keyring is None:
            raise PermissionDenied("in mode simple there are no delegation tokens")
        return keyring


def nobody_acts() -> Seals:
    """Those of mode `simple` without proxies."""
    return Seals(no_key, lambda: None, SecuritySettings())


class Delegations:
    """Answers DelegationCalls, on one connection."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._on = connection
        self._seals = seals

    def get_delegation_token(self, op: Op, renewer: str) -> str:
        """See DelegationCalls."""
        self._require_own_key("got")
        key_id = self._seals.key_id()
        if not key_id:
            return ""
        if renewer not in ("", GATEWAY):
            # Gateways, which prolong the sessions that they began, have no names of users.
            check_plain_name(renewer)
        peer, owner = self._on.peer, self._on.caller.user
        acting = self._on.acting
        if acting is None and peer.principal.role != USER:
            raise PermissionDenied(f"{peer.principal} is no user: it has no delegation tokens")
        proxy = str(peer.principal) if acting is not None else ""
        now = wall_ms()
        asked = Delegation(
            0, owner, renewer, proxy, now, self._seals.last_ms(now), peer.issued, key_id
        )
        return self._seals.seal(
            self._on.namesystem.change(
                lambda state: state.delegating.issue(op, asked, self._seals.expires_ms(now)), op
            )
        )

    def renew_delegation_token(self, op: Op, token: str) -> int:
        """See DelegationCalls."""
        self._require_own_key("renewed")
        delegation, user, now = self._opened(token), self._on.caller.user, wall_ms()
        expires_ms: int = self._on.namesystem.change(
            lambda state: state.delegating.renew(
                op, user, delegation, self._seals.expires_ms(now), now
            ),
            op,
        )
        return expires_ms

    def cancel_delegation_token(self, op: Op, token: str) -> None:
        """See DelegationCalls."""
        # Also one that is void for another reason can be made so for ever.
        delegation, user = self._seals.unseal(token), self._on.caller.user
        self._on.namesystem.change(
            lambda state: state.delegating.cancel(op, user, delegation), op
        )

    def show_token(self, token: str) -> None:
        """See DelegationCalls."""
        delegation = self._opened(token)
        self._require_good(delegation)
        proxy = Principal.parse(delegation.proxy) if delegation.proxy else None
        self._on.act(Acting(delegation.owner, TOKEN, proxy, delegation))

    def act_as(self, user: str) -> None:
        """See DelegationCalls."""
        proxy = self._on.peer.principal
        if not self._seals.proxies.allows(proxy, user):
            raise _not_allowed(proxy, user)
        check_plain_name(user)
        self._on.act(Acting(user, PROXY, proxy))

    def check(self) -> None:
        """Raise AuthenticationFailed when who is acted for must not be any more."""
        acting = self._on.acting
        if acting is not None and acting.delegation is not None:
            self._seals.require_valid(acting.delegation)
            self._require_good(acting.delegation)

    def _opened(self, token: str) -> Delegation:
        delegation = self._seals.unseal(token)
        self._seals.require_valid(delegation)
        return delegation

    def _require_good(self, delegation: Delegation) -> None:
        now = wall_ms()
        self._on.namesystem.read(lambda state: state.delegating.require_good(delegation, now))

    def _require_own_key(self, deed: str) -> None:
        """Else a token would prolong its own life for ever."""
        acting = self._on.acting
        if acting is not None and acting.delegation is not None:
            raise PermissionDenied(
                f"a delegation token cannot be {deed} by one who shows a delegation token"
            )


def _not_allowed(proxy: Principal, user: str) -> PermissionDenied:
    return PermissionDenied(f"User: {proxy.user} is not allowed to impersonate {user!a:.80}")
