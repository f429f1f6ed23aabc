"""What the password of an address without an account is compared with (rule A2).

Stored digests may have parameters of earlier days, and then a fresh dummy would cost more than they do. So the decoys
cost what a sample of the tenant's stored digests costs. A sample is read every few minutes, by whoever comes first, and
an address is given the same decoy as long as the sample stays.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.engine import Connection

from authcore.context import Context
from authcore.features.password.settings import PasswordSettings
from authcore.services.accounts import EMAIL_PASSWORD, identities
from authcore.services.keys import mac
from authcore.services.passwords import passwords

SAMPLE = 64  # places in the order of addresses, of which each gives one digest
KEEP = timedelta(minutes=5)
MAX_TENANTS = 1000
_ALPHABET = "-.0123456789@_abcdefghijklmnopqrstuvwxyz"  # what most addresses are made of, in the order of bytes
_DIGITS = 64  # characters by which the sample is spread: addresses may begin alike


@dataclass(frozen=True, slots=True)
class Sample:
    """Decoys of one tenant, those of one cost side by side, and until when they serve."""

    decoys: tuple[str, ...] = field(repr=False)
    until: datetime


_of_tenant = (identities.c.tenant == bindparam("tenant_"), identities.c.provider == EMAIL_PASSWORD)
_ENDS = select(
    select(func.min(identities.c.identifier)).where(*_of_tenant).scalar_subquery(),
    select(func.max(identities.c.identifier)).where(*_of_tenant).scalar_subquery(),
)


@cache
def _sampling() -> Select[Any]:
    """Answer one statement: from each of several places between the first address and the last, the next digest.

    Built at the first sign-in: an import would pay several milliseconds for its many parts.
    """
    return select(
        *(
            select(passwords.c.digest)
            .select_from(identities.join(passwords, passwords.c.user_id == identities.c.user_id))
            .where(*_of_tenant, identities.c.identifier >= bindparam(f"from_{number}"))
            .order_by(identities.c.identifier)
            .limit(1)
            .scalar_subquery()
            for number in range(SAMPLE)
        )
    )


async def choose(ctx: Context, email: str) -> str:
    """Answer the digest that stands in for an address's own; the work is the same whether it has one."""
    decoys = (await _sample(ctx)).decoys
    _, key = ctx.app.keys.current("decoy")
    drawn = int.from_bytes(mac(key, ctx.tenant.id.encode(), email.encode())[:8], "big")
    return decoys[drawn * len(decoys) >> 64]


async def _sample(ctx: Context) -> Sample:
    kept, now = ctx.settings(PasswordSettings).decoys, ctx.now()
    found = kept.get(ctx.tenant.id)
    if found is None or found.until <= now:
        digests = sorted(set(await ctx.db.read(stored, ctx.tenant.id)))  # places may have the same next address
        # Dummies are kept, never the digests themselves.
        decoys = tuple(ctx.hasher.dummy(digest) for digest in digests)
        found = Sample(decoys or (ctx.hasher.dummy(),), now + KEEP)
        if len(kept) >= MAX_TENANTS:
            kept.clear()
        kept[ctx.tenant.id] = found
    return found


def stored(tx: Connection, tenant: str) -> list[str]:
    """Answer digests of a tenant, spread over its addresses, which tell nothing about when they were stored."""
    first, last = tx.execute(_ENDS, {"tenant_": tenant}).one()
    if first is None:
        return []
    places = {f"from_{number}": place for number, place in enumerate(_between(first, last))}
    return [digest for digest in tx.execute(_sampling(), {"tenant_": tenant, **places}).one() if digest is not None]


def _between(first: str, last: str) -> list[str]:
    least, most = _number(first), _number(last)
    return [first, *(_text(least + (most - least) * number // SAMPLE) for number in range(1, SAMPLE))]


def _number(text: str) -> int:
    number = 0
    for char in text[:_DIGITS].ljust(_DIGITS, _ALPHABET[0]):
        number = number * len(_ALPHABET) + max(bisect(_ALPHABET, char) - 1, 0)
    return number


def _text(number: int) -> str:
    chars = []
    for _ in range(_DIGITS):
        number, digit = divmod(number, len(_ALPHABET))
        chars.append(_ALPHABET[digit])
    return "".join(reversed(chars))
