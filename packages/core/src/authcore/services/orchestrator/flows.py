"""Issuing, validating, ending and listing: each a sentence over the store's contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from authcore.decode import is_storable
from authcore.services import demands
from authcore.services.ids import uuid7
from authcore.services.json_values import fault
from authcore.services.orchestrator import minting, places
from authcore.services.orchestrator.minting import Draft
from authcore.services.orchestrator.values import (
    OWN,
    CredentialContext,
    IssuedCredentials,
    Parts,
    context_of,
    is_of_session,
)
from authcore.stores import CredentialMetadata, CredentialState, InvalidConfig, Listed

_MAX_NAME = 255  # characters


async def issue(
    parts: Parts,
    user_id: str,
    *,
    device_id: str | None = None,
    claims: Mapping[str, Any] | None = None,
    metadata: CredentialMetadata | None = None,
) -> IssuedCredentials:
    """Issue an access token and, where `refresh` is configured, a refresh token of one family.

    `claims` is a JSON object, without the name "authcore". Raises InvalidConfig for what cannot be kept,
    MaxConcurrentReached, Unavailable.
    """
    _check(user_id, device_id, {} if claims is None else claims, metadata)
    now = parts.clock.now()
    family = uuid7(now, parts.random, "family")
    draft = Draft(user_id, device_id, dict(claims or {}), metadata or CredentialMetadata(), now, family)
    if parts.settings.max_concurrent is None:
        return await minting.mint(parts, draft)
    return await places.mint_within(parts, draft, parts.settings.max_concurrent)


def _check(user_id: object, device_id: object, claims: Mapping[str, Any], metadata: object) -> None:
    if not demands.is_name(user_id, _MAX_NAME):
        raise InvalidConfig(f"user_id is a text of 1 to {_MAX_NAME} characters, without NUL and lone surrogates.")
    if device_id is not None and not (isinstance(device_id, str) and is_storable(device_id)):
        raise InvalidConfig("device_id is a text without NUL and lone surrogates, or None.")
    demands.claims(claims)
    if OWN in claims:
        raise InvalidConfig(f"The name {OWN!r} among the claims is the manager's own: choose another one.")
    if metadata is not None and not isinstance(metadata, CredentialMetadata):
        raise InvalidConfig("metadata is a CredentialMetadata, such as CredentialMetadata(ip='192.0.2.1').")
    if (wrong := fault(metadata)) is not None:
        raise InvalidConfig(f"The metadata is no JSON: {wrong}.")


def _of_nobody(user_id: object) -> bool:
    """Tell whether no credential can be this user's, since it could not have been kept."""
    if not isinstance(user_id, str):
        raise InvalidConfig("user_id is a text: the one that issue got.")
    return not is_storable(user_id)


async def validate(parts: Parts, access_token: str) -> CredentialContext | None:
    """Answer who holds a live access token, or None; a refresh token opens nothing (rule T5). Raises Unavailable."""
    if not _is_text(access_token):
        return None
    state = await parts.store.retrieve(access_token)
    if state is None or state.kind != "access" or is_of_session(state):
        return None
    credential_id = parts.store.credential_id(access_token)
    if credential_id is None or await minting.is_denied(parts, credential_id, state):
        return None
    return context_of(parts, credential_id, state)


async def revoke(parts: Parts, token: str) -> bool:
    """End the sign-in that an access or a refresh token belongs to; tell whether the token was live (RFC 7009 2.1).

    Raises StatelessOperationUnsupported where neither the store nor the manager has what it takes; Unavailable.
    """
    if not _is_text(token):
        return False
    state = await parts.store.retrieve(token)
    if state is None or state.kind not in ("access", "refresh") or is_of_session(state):
        return False
    credential_id = parts.store.credential_id(token)
    if credential_id is None or await minting.is_denied(parts, credential_id, state):
        return False
    if parts.denylist is not None:
        await minting.deny(parts, credential_id, state.expires_at)
    return await _end(parts, token, state)


def _is_text(token: object) -> bool:
    return isinstance(token, str)


async def _end(parts: Parts, token: str, state: CredentialState) -> bool:
    family = state.parent_credential_id
    if family is None or (parts.store.stateless and parts.denylist is None):
        return await parts.store.revoke(token)
    return await minting.end_family(parts, state.user_id, family) > 0


async def revoke_family(parts: Parts, user_id: str, family: str) -> int:
    """End one sign-in, named by `CredentialContext.family`; answer how many live credentials ended.

    A store that holds nothing counts the family itself. Raises StatelessOperationUnsupported, Unavailable.
    """
    if not isinstance(family, str):
        raise InvalidConfig("family is a text: the `family` of a CredentialContext.")
    if _of_nobody(user_id) or not is_storable(family):
        return 0
    return await minting.end_family(parts, user_id, family)


async def revoke_all_for_user(parts: Parts, user_id: str) -> int:
    """End every sign-in of a user; answer how many live tokens ended.

    A replaced refresh token, kept to recognize its reuse, opens nothing and is not counted. Raises
    StatelessOperationUnsupported, Unavailable.
    """
    if _of_nobody(user_id):
        return 0
    kept = [each for each in await parts.store.list_for_user(user_id) if not _opens(each.state)]
    ended = await parts.store.revoke_all_for_user(user_id)
    return max(0, ended - len(kept))


def _opens(state: CredentialState) -> bool:
    return state.rotated_at is None and state.kind != places.KIND


async def list_for_user(parts: Parts, user_id: str) -> Sequence[CredentialContext]:
    """Answer the sign-ins of a user, the latest first, and no token: of each its latest credential.

    That is the access token, or the refresh token once the access token has expired. Raises
    StatelessOperationUnsupported, Unavailable.
    """
    if _of_nobody(user_id):
        return []
    latest: dict[str, Listed] = {}
    for each in await parts.store.list_for_user(user_id):
        if each.state.kind in ("access", "refresh") and _opens(each.state):
            family = each.state.parent_credential_id or each.credential_id
            latest[family] = max(latest.get(family, each), each, key=_recent)
    shown = sorted(latest.values(), key=lambda each: each.state.issued_at, reverse=True)
    return [context_of(parts, each.credential_id, each.state) for each in shown]


def _recent(each: Listed) -> tuple[bool, datetime, str]:
    return each.state.kind == "access", each.state.issued_at, each.credential_id


async def deny(parts: Parts, credential_id: str, expires_at: datetime) -> bool:
    """Deny one credential by its id until it expires; tell whether it was not denied before (S42).

    Raises StatelessOperationUnsupported without a denylist, InvalidConfig for a time without a zone, Unavailable.
    """
    if not isinstance(credential_id, str):
        raise InvalidConfig("credential_id is a text: the `credential_id` of a CredentialContext.")
    until: object = expires_at
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise InvalidConfig("expires_at is an aware datetime: the `expires_at` of a CredentialContext.")
    return await minting.deny(parts, credential_id, expires_at)
