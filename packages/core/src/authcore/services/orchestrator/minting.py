"""Making the credentials of a family, and ending it: what issuing and rotating share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authcore.services.keys import KEY_SIZE
from authcore.services.orchestrator.values import IssuedCredentials, Mark, Parts, marked
from authcore.stores import CredentialMetadata, CredentialState, Denylist, StatelessOperationUnsupported
from authcore.values import Value

PURPOSE = "credentials"
"""What the manager's key is derived for."""

# The ids of the manager in a denylist. A store's own begin with "jti:", so one instance serves both (S42).
_CREDENTIAL, _FAMILY = "credential:", "family:"


class Draft(Value, frozen=True):
    """A sign-in that has no credentials yet. `born` is when it began, `place` its number among those of the user."""

    user_id: str
    device_id: str | None
    claims: Mapping[str, Any]
    metadata: CredentialMetadata
    born: datetime
    family: str
    place: int | None = None


async def mint(parts: Parts, draft: Draft) -> IssuedCredentials:
    """Persist the credentials of a sign-in."""
    # The access token first: of a user who is revoked between the two, no access token stays without its refresh token.
    access = access_state(parts, draft, draft.born)
    access_token = await parts.store.persist(access)
    if parts.settings.refresh is None:
        return issued(access_token, access)
    refresh = refresh_state(parts, draft, draft.born, parts.random.bytes(KEY_SIZE, "salt"))
    return issued(access_token, access, await parts.store.persist(refresh), refresh)


def issued(
    access_token: str, access: CredentialState, refresh_token: str | None = None, refresh: CredentialState | None = None
) -> IssuedCredentials:
    """Answer tokens with their times."""
    return IssuedCredentials(
        access_token=access_token,
        access_expires_at=access.expires_at,
        refresh_token=refresh_token,
        refresh_expires_at=None if refresh is None else refresh.expires_at,
    )


def access_state(parts: Parts, draft: Draft, at: datetime) -> CredentialState:
    """Answer the state of an access token; it never outlives its family's absolute end."""
    config, until = parts.settings.refresh, at + parts.settings.access_ttl
    until = until if config is None else min(until, draft.born + config.absolute_ttl)
    # A token that says everything is sent with every request: it says no more than it must.
    mark = Mark(device=draft.device_id, place=draft.place, born=None if draft.place is None else draft.born)
    return _state(draft, "access", at, until, mark)


def refresh_state(parts: Parts, draft: Draft, at: datetime, salt: bytes) -> CredentialState:
    """Answer the state of a refresh token; sliding stops at the family's absolute end."""
    config = parts.settings.refresh
    assert config is not None  # noqa: S101 - nobody comes here without
    until = min(at + config.ttl, draft.born + config.absolute_ttl)
    key_id, _ = parts.keys.current(PURPOSE)
    mark = Mark(born=draft.born, device=draft.device_id, place=draft.place, salt=salt, key=key_id)
    return _state(draft, "refresh", at, until, mark)


def _state(draft: Draft, kind: str, at: datetime, until: datetime, mark: Mark) -> CredentialState:
    return CredentialState(
        user_id=draft.user_id,
        issued_at=at,
        expires_at=until,
        kind=kind,
        claims=marked(draft.claims, mark),
        metadata=draft.metadata,
        parent_credential_id=draft.family,
    )


async def end_family(parts: Parts, user_id: str, family: str) -> int:
    """End every credential of a family; answer how many, or 1 where a store that holds nothing had not ended it."""
    if not parts.store.stateless:
        return await parts.store.revoke_family(user_id, family)
    config = parts.settings.refresh
    longest = parts.settings.access_ttl if config is None else max(config.absolute_ttl, parts.settings.access_ttl)
    return int(await needed(parts).add(_FAMILY + family, parts.clock.now() + longest))


async def deny(parts: Parts, credential_id: str, expires_at: datetime) -> bool:
    """Deny one credential by its id."""
    return await needed(parts).add(_CREDENTIAL + credential_id, expires_at)


async def is_denied(parts: Parts, credential_id: str, state: CredentialState) -> bool:
    """Tell whether the manager's denylist has a credential or, where the store holds nothing, its family."""
    if parts.denylist is None:
        return False
    if await parts.denylist.has(_CREDENTIAL + credential_id):
        return True
    family = state.parent_credential_id
    return parts.store.stateless and family is not None and await parts.denylist.has(_FAMILY + family)


def needed(parts: Parts) -> Denylist:
    """Answer the denylist; raise StatelessOperationUnsupported without one."""
    if parts.denylist is None:
        raise StatelessOperationUnsupported("This needs CredentialManager(denylist=…).")
    return parts.denylist
