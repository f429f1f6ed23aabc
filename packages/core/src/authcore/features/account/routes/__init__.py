"""The room's routes, by what they are about."""

from __future__ import annotations

from authcore.features.account.routes import identifiers, invitations, leaving, profile
from authcore.route import Route


def routes(*, username: bool, several_emails: bool, phone: bool, members_invite: bool) -> tuple[Route, ...]:
    """Answer the routes of what an application uses."""
    return (
        *profile.routes(username=username),
        *(identifiers.EMAILS if several_emails else ()),
        *(identifiers.PHONE if phone else ()),
        *invitations.routes(phone=phone, members=members_invite),
        *leaving.ROUTES,
    )
