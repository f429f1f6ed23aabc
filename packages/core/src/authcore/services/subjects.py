"""Who stands behind a request or an open connection, for policies and for realtime (S97)."""

from __future__ import annotations

from typing import Any

from authcore.context import Authenticated, Tenant
from authcore.values import Value


class Subject(Value, frozen=True):
    """The stable identity of who is signed in: the same for every session of a user, but for `session_id` and what the
    session may do.

    `scopes` None is the user's whole power. `roles` are those in the session's claims (`claims={"roles": […]}`), None
    where it has none. A guard whose driver is the application's own has no session: `session_id` is "".
    """

    user_id: str
    tenant_id: str
    session_id: str
    anonymous: bool = False
    scopes: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """Answer "tenant:user", by which rooms, channels and policies may name who this is."""
        # A colon in a tenant's id would let one tenant's user bear the name of another's.
        return f"{self.tenant_id.replace('%', '%25').replace(':', '%3A')}:{self.user_id}"


def subject_of(who: Authenticated, tenant: Tenant) -> Subject:
    """Answer who somebody is, of a tenant."""
    session = who.session
    return Subject(
        user_id=who.user.id,
        tenant_id=tenant.id,
        session_id=session.id,
        anonymous=who.user.anonymous,
        scopes=None if session.scopes is None else tuple(session.scopes),
        roles=_roles((session.claims or {}).get("roles")),
    )


def _roles(given: Any) -> tuple[str, ...] | None:
    told = isinstance(given, list | tuple) and all(isinstance(role, str) for role in given)
    return tuple(given) if told else None
