"""At most so many sign-ins of a user (S37, S117), exactly, over any store that holds credentials.

Each sign-in has a place, a number below the limit, which its credentials name. Who wants one takes its lock, makes its
credentials, and looks once more: the lock lets one of many contenders through, the look proves that it was alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from authcore.services.ids import uuid7
from authcore.services.keys import mac
from authcore.services.orchestrator import minting
from authcore.services.orchestrator.minting import Draft
from authcore.services.orchestrator.values import IssuedCredentials, Mark, Parts, mark_of, marked
from authcore.stores import CredentialExists, CredentialState, MaxConcurrentReached, TokenRevoked
from authcore.values import Value

KIND = "place"
"""The kind of a lock: it opens nothing."""

ROUNDS = 500  # of looking again, while others sign in the same user
_HELD = timedelta(seconds=10)  # after which the lock of who crashed lapses


class _SignIn(Value, frozen=True):
    family: str
    born: datetime
    place: int | None
    credentials: int


class _Present(Value, frozen=True):
    """Who is signed in, and which places are locked by somebody who is signing in."""

    sign_ins: Sequence[_SignIn]
    locked: frozenset[int | None]


class _Lock(Value, frozen=True):
    place: int
    token: str


async def mint_within(parts: Parts, draft: Draft, most: int) -> IssuedCredentials:
    """Persist the credentials of a sign-in in a place of its own; raise MaxConcurrentReached."""
    for turn in range(ROUNDS):
        present = await _present(parts, draft.user_id)
        free = _free(present, most)
        if not free:
            await _make_room(parts, draft.user_id, present, most)
            continue
        lock = await _take(parts, draft.user_id, free, turn)
        if lock is None:
            continue
        made = await _mint_at(parts, draft, lock.place)
        await parts.store.revoke(lock.token)
        if made is not None:
            return made
    raise MaxConcurrentReached()


async def _present(parts: Parts, user_id: str) -> _Present:
    found: dict[str, _SignIn] = {}
    locked: set[int | None] = set()
    for each in await parts.store.list_for_user(user_id):
        state, mark = each.state, mark_of(each.state)
        if state.kind == KIND:
            locked.add(mark.place)
        elif state.kind in ("access", "refresh"):  # a replaced one too: its successor may not be in this list yet
            family = state.parent_credential_id or each.credential_id
            known = found.get(family) or _SignIn(family, mark.born or state.issued_at, mark.place, 0)
            found[family] = msgspec.structs.replace(known, credentials=known.credentials + 1)
    return _Present(list(found.values()), frozenset(locked))


def _free(present: _Present, most: int) -> Sequence[int]:
    # Who signed in before there was a limit has no place and takes one all the same.
    taken = {each.place for each in present.sign_ins} | present.locked
    free = [place for place in range(most) if place not in taken]
    return free[: max(0, most - len(present.sign_ins))]


async def _make_room(parts: Parts, user_id: str, present: _Present, most: int) -> None:
    # Whoever holds a lock may still give up its place: nobody is sent away, and nobody evicted, for its sake alone.
    settled = [each for each in present.sign_ins if each.place not in present.locked]
    if parts.settings.on_limit == "reject":
        if len(settled) >= most:
            raise MaxConcurrentReached()
    elif settled:
        oldest = min(settled, key=lambda each: (each.born, each.family))
        await parts.store.revoke_family(user_id, oldest.family)


async def _take(parts: Parts, user_id: str, free: Sequence[int], turn: int) -> _Lock | None:
    for place in free:
        for again in range(turn + 1):
            try:
                return _Lock(place, await _lock(parts, user_id, place, again))
            except CredentialExists as exists:
                if await parts.store.retrieve(exists.token) is not None:
                    break  # somebody is at it
                # A store may keep the seed of what has ended: the next one is tried.
    return None


async def _lock(parts: Parts, user_id: str, place: int, again: int) -> str:
    now = parts.clock.now()
    _, key = parts.keys.current(minting.PURPOSE)
    # Contenders of one second share the seed; those of two are parted by the look that follows.
    parts_of_seed = (user_id, str(place), str(int(now.timestamp())), str(again))
    claims = marked({}, Mark(place=place))
    state = CredentialState(user_id=user_id, issued_at=now, expires_at=now + _HELD, kind=KIND, claims=claims)
    return await parts.store.persist(state, seed=mac(key, b"place", *(part.encode() for part in parts_of_seed)))


async def _mint_at(parts: Parts, draft: Draft, place: int) -> IssuedCredentials | None:
    """Answer the credentials, or None if another sign-in has the place; raise MaxConcurrentReached if evicted."""
    # Another family at each try: what was ended is not made again.
    draft = msgspec.structs.replace(draft, place=place, family=uuid7(draft.born, parts.random, "family"))
    try:
        made = await minting.mint(parts, draft)
    except TokenRevoked:
        raise MaxConcurrentReached() from None
    present = await _present(parts, draft.user_id)
    others = {each.family: each for each in present.sign_ins if each.place == place}
    own = others.pop(draft.family, None)
    if own is not None and own.credentials == (2 if made.refresh_token else 1) and not others:
        return made
    await parts.store.revoke_family(draft.user_id, draft.family)
    if not others:
        raise MaxConcurrentReached()
    return None
