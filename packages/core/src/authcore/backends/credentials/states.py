"""What the stores that hold credentials share: which states can be kept, and how a token is spelled and known."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from authcore.decode import is_storable
from authcore.ports import Randomness
from authcore.services import tokens
from authcore.stores import CredentialState, InvalidConfig, InvalidToken

MAX_NAME = 255  # characters of a user id, a kind and a family
_KIND: tokens.Kind = "cr"


def kept(state: CredentialState, now: datetime, ttl: timedelta | None = None) -> CredentialState:
    """Answer the state with its end; raise InvalidToken if it has expired, InvalidConfig if it cannot be."""
    if ttl is not None:
        state = msgspec.structs.replace(state, expires_at=now + ttl)
    if state.issued_at.tzinfo is None or state.expires_at.tzinfo is None:
        raise InvalidConfig("The times of a state are aware: write datetime.now(UTC).")
    names = (state.user_id, state.kind, state.parent_credential_id or "")
    if any(len(name) > MAX_NAME or not is_storable(name) for name in names):
        raise InvalidConfig(
            f"A user id, a kind and a family have at most {MAX_NAME} characters, none of them NUL or a lone surrogate."
        )
    if state.expires_at <= now:
        raise InvalidToken("The state has expired already.")
    return state


def make(random: Randomness, seed: bytes | None) -> str:
    """Answer a token of 256 bits: of the seed, or random."""
    if seed is not None and len(seed) != tokens.SIZE:
        raise InvalidConfig(f"A seed has {tokens.SIZE} bytes.")
    return tokens.spell(_KIND, random.bytes(tokens.SIZE, "credential") if seed is None else seed)


def known(token: str) -> bytes:
    """Answer the SHA-256 of a token that was made here (rule T1)."""
    return tokens.must_digest(token, _KIND)


def digest(token: str) -> bytes | None:
    """Answer the SHA-256 of a token, or None if the text is none (rule T1)."""
    return tokens.digest(token, _KIND)


def credential_id(token: str) -> str | None:
    """Answer the SHA-256 of a token in hex, or None if the text is none."""
    found = digest(token)
    return None if found is None else found.hex()
