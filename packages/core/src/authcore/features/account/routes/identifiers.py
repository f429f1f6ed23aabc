"""The account's addresses and its number."""

from __future__ import annotations

from authcore.context import Context
from authcore.errors import InvalidChallenge, NotFound, RateLimited
from authcore.features.account.errors import (
    EmailsTooNew,
    LastIdentifier,
    PrimaryEmail,
    TooManyEmails,
)
from authcore.features.account.flow import asking, emails, phone
from authcore.features.account.schemas import (
    AnswerCode,
    ChangedBody,
    EmailsBody,
    NameEmail,
    NamePhone,
    ProfileBody,
    Secret,
)
from authcore.features.account.store.identifiers import Changed
from authcore.route import FRESH, SIGNED_IN, Answer, Empty, Route
from authcore.services import pages
from authcore.services.answers import ChallengeRequiredBody, answer, shown
from authcore.services.pages import Landing, NeedsConfirm
from authcore.services.sign_in import SignedIn
from authcore.services.transport import token_fields


async def list_emails(ctx: Context, _body: Empty) -> Answer:
    """Answer the account's addresses."""
    return Answer(200, EmailsBody(list(await emails.list_emails(ctx))))


async def add_email(ctx: Context, body: NameEmail) -> Answer:
    """Mail another address."""
    return answer(ctx, await emails.add(ctx, email=body.email))


async def confirm_email(ctx: Context, body: Secret) -> Answer:
    """Let another address open the account."""
    found = await emails.confirm(ctx, token=body.token, challenge_id=body.challenge_id, code=body.code)
    return Answer(200, EmailsBody(list(found)))


async def make_primary(ctx: Context, body: NameEmail) -> Answer:
    """Let another address be the primary one."""
    return Answer(200, ProfileBody(await emails.make_primary(ctx, email=body.email)))


async def remove_email(ctx: Context, body: NameEmail) -> Answer:
    """Remove an address."""
    return _changed(ctx, await emails.remove(ctx, email=body.email))


async def land(ctx: Context, _body: Empty) -> Answer:
    """Show the page behind another address's link."""
    return await pages.land(ctx, _LANDING)


async def set_phone(ctx: Context, body: NamePhone) -> Answer:
    """Send a number a code."""
    return answer(ctx, await phone.change(ctx, phone=body.phone))


async def confirm_phone(ctx: Context, body: AnswerCode) -> Answer:
    """Let the number be the account's."""
    return _changed(ctx, await phone.confirm(ctx, challenge_id=body.challenge_id, code=body.code))


async def remove_phone(ctx: Context, _body: Empty) -> Answer:
    """Remove the number."""
    return _changed(ctx, await phone.remove(ctx))


def _changed(ctx: Context, done: SignedIn | Changed) -> Answer:
    if isinstance(done, SignedIn):
        fields = token_fields(done.issued, ctx.now())
        return Answer(200, ChangedBody(user=done.user, session=shown(done.session), **fields), done.cookies)
    return Answer(200, ChangedBody(user=done.user, session=shown(asking.member(ctx).session)))


_LANDING = Landing(
    title="Add this address",
    text="Press the button to let this address open your account. You must be signed in here; if you are not, enter "
    "the code of the mail where you added the address.",
    button="Add this address",
    endpoint="/me/emails/confirm",
    done="The address is added.",
)
EMAILS = (
    Route(
        method="GET",
        path="/me/emails",
        handler=list_emails,
        summary="List the addresses that open one's account",
        answers={200: EmailsBody},
        needs=SIGNED_IN,
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/emails",
        handler=add_email,
        summary="Mail another address a link and a code",
        body=NameEmail,
        answers={202: ChallengeRequiredBody},
        needs=FRESH,
        raises=(TooManyEmails, RateLimited),
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/emails/confirm",
        handler=confirm_email,
        summary="Add an address by its link or code",
        body=Secret,
        answers={200: EmailsBody},
        needs=SIGNED_IN,
        raises=(InvalidChallenge, RateLimited),
        tag="account",
    ),
    Route(
        method="GET",
        path="/me/emails/confirm",
        handler=land,
        summary="Land from the mail to another address",
        answers={200: NeedsConfirm},
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/emails/primary",
        handler=make_primary,
        summary="Let another address be the primary one",
        body=NameEmail,
        answers={200: ProfileBody},
        needs=FRESH,
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/emails/remove",
        handler=remove_email,
        summary="Remove an address, and end one's other sessions",
        body=NameEmail,
        answers={200: ChangedBody},
        needs=FRESH,
        raises=(PrimaryEmail, EmailsTooNew),
        tag="account",
    ),
)
PHONE = (
    Route(
        method="POST",
        path="/me/phone",
        handler=set_phone,
        summary="Send a number a code",
        body=NamePhone,
        answers={202: ChallengeRequiredBody},
        needs=FRESH,
        raises=(RateLimited,),
        tag="account",
    ),
    Route(
        method="POST",
        path="/me/phone/confirm",
        handler=confirm_phone,
        summary="Add or replace one's number by its code",
        body=AnswerCode,
        answers={200: ChangedBody},
        needs=SIGNED_IN,
        raises=(InvalidChallenge, RateLimited),
        tag="account",
    ),
    Route(
        method="DELETE",
        path="/me/phone",
        handler=remove_phone,
        summary="Remove one's number, and end one's other sessions",
        answers={200: ChangedBody},
        needs=FRESH,
        raises=(LastIdentifier, NotFound),
        tag="account",
    ),
)
