"""Opaque secrets: `ac1_<kind>_<43 base64url>`, 256 bits, known by their SHA-256 (rules T1, T3, T5)."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from secrets import token_urlsafe
from typing import Literal

from authcore.ports import Randomness

Kind = Literal["at", "st", "rt", "ch", "br", "ln", "rm", "cr", "bg"]
"""Access (bearer), session (cookie), refresh, challenge id, browser binding, link, remember, of a credential store,
a guest's data bag."""

SIZE = 32  # bytes
# 43 characters carry 258 bits: only 16 last characters are canonical for 256, and no other spelling is read.
_FORM = re.compile(r"ac1_([a-z]{2})_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z")


def generate_magic_link_token() -> str:
    """Answer 256 random bits as 43 characters of base64url (RFC 4648 5), for links of an application's own (S88)."""
    return token_urlsafe(SIZE)


def mint(random: Randomness, kind: Kind) -> str:
    """Answer a fresh secret of a kind."""
    return spell(kind, random.bytes(SIZE, kind))


def spell(kind: Kind, raw: bytes) -> str:
    """Answer the one text of a 32-byte secret."""
    return f"ac1_{kind}_{urlsafe_b64encode(raw).rstrip(b'=').decode()}"


def digest(token: str, kind: Kind) -> bytes | None:
    """Answer the SHA-256 of a secret of `kind`, or None if the text is no such secret."""
    match = _FORM.match(token)
    if match is None or match[1] != kind:
        return None
    return hashlib.sha256(token.encode()).digest()


def must_digest(token: str, kind: Kind) -> bytes:
    """Answer the SHA-256 of a secret that was made here."""
    found = digest(token, kind)
    if found is None:
        raise ValueError(f"this is no secret of kind {kind}")
    return found
