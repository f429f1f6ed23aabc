"""The profile, and all that is stored of who asks."""

from __future__ import annotations

from msgspec import UNSET

from authcore.context import Context
from authcore.errors import RateLimited, ReauthenticationRequired
from authcore.features.account.errors import LastIdentifier
from authcore.features.account.flow import exporting
from authcore.features.account.flow import profile as flow
from authcore.features.account.schemas import ExportBody, ProfileBody, UpdateNamedProfile, UpdateProfile
from authcore.route import FRESH, SIGNED_IN, Answer, Empty, Route
from authcore.services.user_fields import given


async def update(ctx: Context, body: UpdateProfile) -> Answer:
    """Change one's profile."""
    user = await flow.update(
        ctx,
        display_name=body.display_name,
        username=getattr(body, "username", UNSET),
        locale=body.locale,
        fields=given(body, ctx.app.user),
    )
    return Answer(200, ProfileBody(user))


async def export(ctx: Context, _body: Empty) -> Answer:
    """Read out all that is stored of who asks."""
    told = await exporting.export_own(ctx)
    return Answer(200, told, headers=(("Content-Disposition", 'attachment; filename="account.json"'),))


def routes(*, username: bool) -> tuple[Route, ...]:
    """Answer the routes; where users have no names, a body with one is refused."""
    return (
        Route(
            method="PATCH",
            path="/me",
            handler=update,
            summary="Change one's profile",
            body=UpdateNamedProfile if username else UpdateProfile,
            answers={200: ProfileBody},
            needs=SIGNED_IN,
            user_fields=True,
            raises=(ReauthenticationRequired, LastIdentifier, RateLimited) if username else (),
            tag="account",
        ),
        Route(
            method="GET",
            path="/me/export",
            handler=export,
            summary="Read out all that is stored of oneself",
            answers={200: ExportBody},
            needs=FRESH,
            raises=(RateLimited,),
            tag="account",
        ),
    )
