"""Inviting an address or a number, and accepting that (S89, S90)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import AuthError, EmailNotVerified, InvalidChallenge, field_error
from authcore.features.account import mails
from authcore.features.account.flow import asking
from authcore.features.account.store import invitations as store
from authcore.features.account.store.invitations import Acceptance, Accepted
from authcore.services import (
    accounts,
    admission,
    challenges,
    events,
    guests,
    limits,
    mailed,
    phones,
    tokens,
    user_fields,
)
from authcore.services import password_policy as policy
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.accounts import EMAIL_PASSWORD, PHONE
from authcore.services.challenges import Attempt, ChallengeKind, ChallengeView, Refused, Spent
from authcore.services.limits import Hit
from authcore.services.password_policy import PasswordPolicy
from authcore.services.sessions import Transport
from authcore.services.sign_in import Outcome, Proof

# --- inviting ---


async def invite(
    ctx: Context,
    *,
    email: str | None = None,
    phone: str | None = None,
    fields: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    locale: str | None = None,
) -> ChallengeView:
    """Mail an address a link and a code, or send a number a code; whoever answers becomes a user. Server code only.

    `fields` are the application's own that the user will have, `data` goes to the mail's templates. One who has an
    account gets nothing, and the answer is the same (rule A2); so does who was invited five times in a day. Raises
    InvalidFields.
    """
    provider, identifier = _whom(ctx, email, phone)
    own = user_fields.checked(dict(fields or {}), ctx.app.user, editable=False)
    taken = await ctx.db.read(accounts.holder, ctx.tenant.id, provider, identifier) is not None
    wanted = await limits.allowed(ctx, *_allowances(provider, identifier))
    void = taken or not wanted
    begun = await mailed.start_pending(
        ctx,
        _kind(ctx, provider),
        mails.secret("invitation", locale, data),
        subject=identifier,
        recipient=identifier,
        via="bearer",  # who is invited is nobody who asked
        payload={"fields": own, "locale": locale},
        unchanged=lambda _: False,
        void=void,
        alone=False,
    )
    await _tell(ctx, provider, identifier, void=void)
    return begun.view(ctx)


async def invite_as_member(ctx: Context, *, email: str | None = None, phone: str | None = None) -> None:
    """Invite somebody in the name of who is signed in; raise NotAuthenticated, EmailNotVerified, RateLimited."""
    user = asking.member(ctx).user
    if not user.email_verified and user.phone is UNSET:
        raise EmailNotVerified()
    await limits.count(ctx, Hit("invitation.sender.account", user.id))
    await invite(ctx, email=email, phone=phone)


def _whom(ctx: Context, email: str | None, phone: str | None) -> tuple[str, str]:
    if email is not None and phone is not None:
        raise field_error("phone", "invalid", "Send one name alone.")
    if phone is not None:
        if not asking.settings(ctx).texts:
            raise field_error("phone", "unknown", "There is no such field.")
        return PHONE, phones.canonical_phone(phone)
    if email is None:
        raise field_error("email", "missing", "This field is required.")
    return EMAIL_PASSWORD, asking.address(email)


def _allowances(provider: str, identifier: str) -> tuple[Hit, ...]:
    own = Hit("invitation.account", identifier)
    return (own, *phones.hits(identifier)) if provider == PHONE else (own,)


def _kind(ctx: Context, provider: str = EMAIL_PASSWORD) -> ChallengeKind:
    kind = asking.settings(ctx).invitation
    return replace(kind, kind="sms_code") if provider == PHONE else kind


async def _tell(ctx: Context, provider: str, identifier: str, *, void: bool) -> None:
    named = {"email" if provider == EMAIL_PASSWORD else "phone": identifier}
    happened = events.occur(ctx, events.UserInvited(ctx.tenant.id, ctx.now(), **named), void=void)
    await ctx.db.write(store.note, happened)
    await events.tell(ctx, happened)


# --- accepting ---


async def accept(
    ctx: Context,
    *,
    token: str | None = None,
    challenge_id: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    code: str | None = None,
    password: str | None = None,
    password_confirmation: str | None = None,
    display_name: str | None = None,
    fields: Mapping[str, Any] | None = None,
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    remember_me: bool | None = None,
) -> Outcome:
    """Spend an invitation, make the user with the address or number proven, and enter the pipeline.

    The code is found by its `challenge_id`, or by the invited `email` or `phone`. Who has an account by now enters that
    one, and its password and profile stay. Raises InvalidFields, InvalidChallenge, SignUpClosed of a hook, RateLimited,
    Overloaded.
    """
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    own = user_fields.checked(dict(fields or {}), ctx.app.user, editable=True)
    _refuse(ctx, password, password_confirmation)
    challenge_id, invited = await _found(ctx, challenge_id, email, phone)
    attempt = await mailed.attempt(ctx, _kind(ctx), token=token, challenge_id=challenge_id, code=code, named=invited)
    guest, bag = await guests.answering(ctx, attempt), await guests.brings_bag(ctx, attempt)
    profile = {"display_name": _name(display_name), "fields": own, "guest": guest}
    provider, done = await _accepted(ctx, attempt, password, profile)
    await events.tell_all(ctx, done.happened)
    shown = ("email",) if provider == EMAIL_PASSWORD else ("sms",)
    proof = Proof((*shown, "pwd") if done.made and password is not None else shown)
    return await pipeline.complete(
        ctx,
        done.account,
        proof,
        via=via,
        device_id=device_id,
        device_name=device_name,
        remember_me=remember_me,
        guest=guest,
        bag=bag,
    )


def _refuse(ctx: Context, password: str | None, confirmation: str | None) -> None:
    """Raise InvalidFields for a password that no account would take; it says nothing of the invitation."""
    if password is None:
        return
    rules = ctx.runtime.settings.get(PasswordPolicy)
    if rules is None or not rules.enabled:
        raise field_error("password", "unknown", "Passwords are not used here.")
    policy.accept(ctx, password, email=None, field="password")
    if confirmation is not None and confirmation != password:
        raise field_error("password_confirmation", "mismatch", "The passwords do not match.")


def _name(given: str | None) -> str | None:
    name = given.strip() if given is not None else None
    if name is not None and (len(name) > 200 or not name.isprintable() or not is_storable(name)):
        raise field_error("display_name", "invalid", "This is no name that can be shown.")
    return name or None


async def _found(
    ctx: Context, challenge_id: str | None, email: str | None, phone: str | None
) -> tuple[str | None, str | None]:
    """Answer the challenge that a code is for, and who is said to be invited; of who was not, one that there is not."""
    if email is None and phone is None:
        return challenge_id, None
    if challenge_id is not None:
        raise field_error("challenge_id", "invalid", "Send either a challenge_id, or who was invited.")
    _, identifier = _whom(ctx, email, phone)
    found = await ctx.db.read(challenges.pending, ctx.tenant.id, _kind(ctx), identifier, ctx.now())
    return found[0].id if found else tokens.mint(ctx.random, "ch"), identifier


async def _accepted(
    ctx: Context, attempt: Attempt, password: str | None, profile: dict[str, Any]
) -> tuple[str, Accepted]:
    """Judge the secret, then hash outside transactions, then spend and make the user in one."""
    checked = await ctx.db.write(challenges.check, attempt)
    if isinstance(checked, Refused):
        raise InvalidChallenge()
    provider = EMAIL_PASSWORD if "@" in checked.challenge.recipient else PHONE
    try:
        given = await _drawn(ctx, checked, provider, password, profile)
    except AuthError:
        # What the policy or the application refuses spends nothing, no attempt either.
        if attempt.token is None:
            await ctx.db.write(challenges.give_back, checked)
        raise
    done = await ctx.db.write(store.accept, given)
    if done is None:
        raise InvalidChallenge()
    return provider, done


async def _drawn(
    ctx: Context, checked: Spent, provider: str, password: str | None, profile: dict[str, Any]
) -> Acceptance:
    held, recipient = challenges.payload(ctx, checked.challenge), checked.challenge.recipient
    email = recipient if provider == EMAIL_PASSWORD else None
    new = await admission.new_user(
        ctx,
        way="invitation",
        email=email,
        verified=email is not None,
        phone=recipient if provider == PHONE else None,
        display_name=profile["display_name"],
        guest=profile["guest"],
        locale=held["locale"],
        # Who is invited does not choose what the application gives.
        fields={**profile["fields"], **held["fields"]},
    )
    return Acceptance(
        checked=checked,
        provider=provider,
        new=new,
        digest=await _digest(ctx, password, email),
        now=ctx.now(),
        shape=ctx.app.user,
        born=events.occur_all(ctx, *guests.born(ctx, new)),
        verified=events.occur(ctx, events.Verified),
    )


async def _digest(ctx: Context, password: str | None, email: str | None) -> str | None:
    if password is None:
        return None
    return await ctx.hasher.hash(await policy.accepted(ctx, password, email=email, field="password"))
