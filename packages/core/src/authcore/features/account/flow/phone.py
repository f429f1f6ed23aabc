"""The account's phone number: added, replaced, removed."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge, NotFound, field_error
from authcore.features.account import mails
from authcore.features.account.flow import asking
from authcore.features.account.store import identifiers as store
from authcore.features.account.store.identifiers import Changed
from authcore.services import accounts, events, limits, mailed, phones
from authcore.services.accounts import PHONE
from authcore.services.limits import Hit
from authcore.services.sign_in import ChallengeRequired, SignedIn


async def change(ctx: Context, *, phone: str) -> ChallengeRequired:
    """Send a number a code; the answer is the same for one that is taken, or has had enough messages (rule A2).

    Raises NotAuthenticated, ReauthenticationRequired, InvalidFields, RateLimited.
    """
    who, number = asking.member(ctx, fresh=True), phones.canonical_phone(phone)
    if number == who.user.phone:
        raise field_error("phone", "unchanged", "This is your number already.")
    await limits.count(ctx, Hit("sms.address"))
    owner = await ctx.db.read(accounts.holder, ctx.tenant.id, PHONE, number)
    wanted = await limits.allowed(ctx, *phones.hits(number))
    compose = mails.secret("account_phone", (await asking.account(ctx, who.user.id)).locale)
    void = owner is not None or not wanted
    begun = await mailed.start_proof(
        ctx, asking.settings(ctx).phone, compose, who, recipient=number, payload={"phone": number}, void=void
    )
    return ChallengeRequired(begun.view(ctx, hint=phones.mask_phone(number)), begun.cookies)


async def confirm(ctx: Context, *, challenge_id: str, code: str) -> SignedIn | Changed:
    """Spend the code in a session of the user who asked: the number is the account's.

    Where it takes another one's place, every other session ends (rule T9). Raises NotAuthenticated, InvalidChallenge,
    RateLimited.
    """
    who, kind = asking.member(ctx), asking.settings(ctx).phone
    attempt = await mailed.attempt(ctx, kind, challenge_id=challenge_id, code=code, subject=who.user.id)
    change = asking.drawn(ctx, who, events.PhoneChanged)
    changed = await ctx.db.write(store.set_phone, attempt, change, ctx.app.user)
    if changed is None:
        raise InvalidChallenge()
    await asking.done(ctx, change, changed)
    return await asking.carried(ctx, change, changed)


async def remove(ctx: Context) -> SignedIn | Changed:
    """Let the number be the account's no more; every other session ends (rule T9).

    Raises NotAuthenticated, ReauthenticationRequired, NotFound, LastIdentifier.
    """
    who = asking.member(ctx, fresh=True)
    change = asking.drawn(ctx, who, events.PhoneChanged)
    changed = await ctx.db.write(store.drop_phone, change, ctx.app.user)
    if changed is None:
        raise NotFound()
    await asking.done(ctx, change, changed)
    return await asking.carried(ctx, change, changed)
