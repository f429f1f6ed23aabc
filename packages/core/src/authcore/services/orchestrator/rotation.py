"""Rotation of refresh tokens over any store (rule T6): every contender derives the same successors.

    seed = HMAC(key, label ‖ salt ‖ old token)     the random salt stands in the old credential, the key does not

A store that holds credentials decides by `persist` under that seed who was first; the successor's own `issued_at` is
when its predecessor was replaced, so a caller that crashed half way is finished by its next try. A store that holds
nothing decides by the denylist's `add`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

import msgspec

from authcore.services.keys import KEY_SIZE, mac
from authcore.services.orchestrator import minting
from authcore.services.orchestrator.minting import Draft
from authcore.services.orchestrator.values import IssuedCredentials, Parts, RefreshConfig, mark_of, own_claims, public
from authcore.stores import (
    CredentialExists,
    CredentialState,
    InvalidConfig,
    InvalidToken,
    RefreshReuseDetected,
    TokenExpired,
    TokenRevoked,
)
from authcore.values import Value

_ROTATED, _GRACE = "rotated:", "grace:"  # of ids in a denylist


class _Old(Value, frozen=True):
    """A live refresh token that somebody presents."""

    token: str
    credential_id: str
    state: CredentialState
    draft: Draft
    salt: bytes
    key: bytes

    def seed(self, label: str, secret: str) -> bytes:
        """Answer what decides a successor."""
        return mac(self.key, label.encode(), self.salt, secret.encode())


async def refresh(parts: Parts, refresh_token: str) -> IssuedCredentials:
    """Answer an access token and the refresh token to use from now on; a lost answer is given again inside the grace.

    Raises InvalidToken (unknown, expired or revoked; which one a store does not tell), TokenExpired past the absolute
    end, TokenRevoked, RefreshReuseDetected, Unavailable.
    """
    config = parts.settings.refresh
    if config is None:
        raise InvalidConfig("This manager issues no refresh tokens: write refresh=RefreshConfig().")
    old = await _presented(parts, config, refresh_token)
    if config.rotation == "none":
        return await _renew(parts, old)
    if parts.store.stateless:
        return await _rotate_by_denylist(parts, config, old)
    return await _rotate(parts, config, old)


async def _presented(parts: Parts, config: RefreshConfig, token: object) -> _Old:
    if not isinstance(token, str):
        raise InvalidToken()
    state = await parts.store.retrieve(token)
    credential_id = parts.store.credential_id(token)
    if state is None or credential_id is None or state.kind != "refresh":
        raise InvalidToken()
    mark, family = mark_of(state), state.parent_credential_id
    key = parts.keys.get(mark.key or "", minting.PURPOSE)
    if key is None or mark.salt is None or mark.born is None or family is None:
        raise InvalidToken()
    if await minting.is_denied(parts, credential_id, state):
        raise TokenRevoked()
    if mark.born + config.absolute_ttl <= parts.clock.now():
        raise TokenExpired()
    draft = Draft(state.user_id, mark.device, own_claims(state), state.metadata, mark.born, family, mark.place)
    return _Old(token, credential_id, state, draft, mark.salt, key)


async def _renew(parts: Parts, old: _Old) -> IssuedCredentials:
    """Make an access token; the refresh token stays."""
    access = minting.access_state(parts, old.draft, parts.clock.now())
    token = await parts.store.persist(access)
    if not parts.store.stateless and await parts.store.retrieve(old.token) is None:
        await _ended(parts, old)
    return minting.issued(token, access, old.token, old.state)


async def _rotate(parts: Parts, config: RefreshConfig, old: _Old) -> IssuedCredentials:
    now = parts.clock.now()
    if old.state.rotated_at is not None and _late(config, old.state.rotated_at, now):
        await _theft(parts, config, old)
    token, successor = await _succeed(parts, config, old, now)
    access_token, access = await _accompany(parts, old, successor.issued_at, now)
    await _stamp(parts, old, successor.issued_at)
    return minting.issued(access_token, access, token, successor)


async def _succeed(parts: Parts, config: RefreshConfig, old: _Old, now: datetime) -> tuple[str, CredentialState]:
    """Answer the one successor: made here, or by another caller inside the grace."""
    made = minting.refresh_state(parts, old.draft, now, parts.random.bytes(KEY_SIZE, "salt"))
    try:
        token = await parts.store.persist(made, seed=old.seed("refresh", old.token))
    except CredentialExists as exists:
        return exists.token, await _again(parts, config, old, exists.token, now)
    if old.state.rotated_at is not None:  # it had a successor, which has been ended since
        await parts.store.revoke(token)
        raise TokenRevoked()
    return token, made


async def _again(parts: Parts, config: RefreshConfig, old: _Old, token: str, now: datetime) -> CredentialState:
    found = await parts.store.retrieve(token)
    if found is None:
        raise TokenRevoked()
    # Who uses the successor has had the answer: the old token is in other hands (RFC 9700 4.14.2).
    if found.rotated_at is not None or _late(config, found.issued_at, now):
        await _theft(parts, config, old)
    return found


async def _accompany(parts: Parts, old: _Old, at: datetime, now: datetime) -> tuple[str, CredentialState]:
    access = minting.access_state(parts, old.draft, at)
    if access.expires_at <= now:  # shorter than the grace
        access = minting.access_state(parts, old.draft, now)
        return await parts.store.persist(access), access
    try:
        return await parts.store.persist(access, seed=old.seed("access", old.token)), access
    except CredentialExists as exists:
        return exists.token, access


async def _stamp(parts: Parts, old: _Old, at: datetime) -> None:
    """Note in the old credential when it was replaced, which fails if it was ended since it was presented.

    It is the last step before the answer: nobody holds a successor whose predecessor is not stamped.
    """
    if old.state.rotated_at is not None:
        live = await parts.store.retrieve(old.token) is not None
    else:
        live = await parts.store.update(old.token, msgspec.structs.replace(old.state, rotated_at=at)) is not None
    if not live:
        await _ended(parts, old)


async def _ended(parts: Parts, old: _Old) -> NoReturn:
    """Refuse, since the family ended meanwhile: what was made after that ends too, and whatever grew out of it."""
    await parts.store.revoke_family(old.state.user_id, old.draft.family)
    raise TokenRevoked()


async def _rotate_by_denylist(parts: Parts, config: RefreshConfig, old: _Old) -> IssuedCredentials:
    now = parts.clock.now()
    first = await _is_first(parts, config, old, now)
    # One id has several texts here (rule T3), so what follows hangs on the id: who signs it decides who may hold it.
    secret = old.credential_id
    successor = minting.refresh_state(parts, old.draft, now, old.seed("salt", secret))
    token = await parts.store.persist(successor, seed=old.seed("refresh", secret))
    if not first and await minting.needed(parts).has(_ROTATED + (parts.store.credential_id(token) or "")):
        await _theft(parts, config, old)
    access = minting.access_state(parts, old.draft, now)
    return minting.issued(await parts.store.persist(access, seed=old.seed("access", secret)), access, token, successor)


async def _is_first(parts: Parts, config: RefreshConfig, old: _Old, now: datetime) -> bool:
    """Tell whether nobody has presented the token before; False inside the grace, RefreshReuseDetected after it."""
    denylist, rotated, grace = minting.needed(parts), _ROTATED + old.credential_id, _GRACE + old.credential_id
    if not await denylist.has(rotated):
        # The grace is there before the token counts as replaced, so no contender takes the other for a thief.
        if config.forgives:
            await denylist.add(grace, now + config.forgives + timedelta.resolution)
        if await denylist.add(rotated, old.state.expires_at):
            return True
    if not config.forgives or not await denylist.has(grace):
        await _theft(parts, config, old)
    return False


def _late(config: RefreshConfig, at: datetime, now: datetime) -> bool:
    return config.forgives == timedelta() or now - at > config.forgives


async def _theft(parts: Parts, config: RefreshConfig, old: _Old) -> NoReturn:
    """End what the token may have opened, tell the application, refuse.

    Of many presentations at once the first is told; a family that was still being written is told of again.
    """
    if config.on_reuse == "user":
        ended = await parts.store.revoke_all_for_user(old.state.user_id)
    else:
        ended = await minting.end_family(parts, old.state.user_id, old.draft.family)
    if ended and config.on_rotation_reuse is not None:
        await parts.hooks.call(config.on_rotation_reuse, public(old.state))
    raise RefreshReuseDetected()
