"""A session to which the application itself added a second factor (S83)."""

from __future__ import annotations

from collections.abc import Sequence

from authcore.context import Context
from authcore.errors import AccountRequired, NotFound, field_error
from authcore.features.sessions.creating import methods
from authcore.services import sessions
from authcore.services import sign_in as pipeline
from authcore.services.sign_in import Proof, SignedIn


async def mark_mfa_verified(ctx: Context, session_id: str, *, amr: Sequence[str] = ("mfa",)) -> SignedIn:
    """Raise a live session of the tenant to level 2, after the application's own check of a second factor. Server code
    only.

    The session keeps its id and gets new secrets; those that it had open nothing from then on (rule T7). Hand the
    answer to the client whose session it is, by `set_cookies` or as its tokens: whoever does not signs it out. `amr` is
    what was proven, by the names of RFC 8176. Raises NotFound for a session that is unknown or over, AccountRequired
    for one without an account, InvalidFields for methods that are none or codes alone.
    """
    # No id holds what databases refuse: NUL and lone surrogates.
    known = session_id.isascii() and session_id.isprintable()
    entry = await ctx.db.read(sessions.ledger, ctx.tenant.id, session_id, ctx.now(), ctx.app.user) if known else None
    if entry is None:
        raise NotFound()
    if entry.who.user.anonymous:
        raise AccountRequired()
    shown = methods(amr)
    # A8: a mailed or texted code is no second factor.
    if not set(shown) - pipeline.CODES:
        raise field_error("amr", "invalid", "Write what was proven beside a mailed or texted code, such as ('otp',).")
    ctx.who = entry.who
    return await pipeline.renew(ctx, Proof(shown, 2))
