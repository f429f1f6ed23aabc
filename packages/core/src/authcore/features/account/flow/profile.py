"""Changing one's profile and username."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from authcore.context import Context
from authcore.decode import is_storable
from authcore.errors import field_error
from authcore.features.account.flow import asking
from authcore.features.account.store import profile as store
from authcore.route import SIGNED_IN
from authcore.services import accounts, events, guard, limits, user_fields
from authcore.services.accounts import User
from authcore.services.identifiers import ADDRESS_ONLY, Identifiers
from authcore.services.limits import Hit

Given = str | None | UnsetType
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")  # RFC 5646 2.1, without its rarest forms


async def update(
    ctx: Context,
    *,
    display_name: Given = UNSET,
    username: Given = UNSET,
    locale: Given = UNSET,
    fields: Mapping[str, Any] | None = None,
) -> User:
    """Change what is given, all of it or nothing; None clears. `fields` are the application's own editable ones.

    A username needs a fresh authentication (rule A9). Raises NotAuthenticated, ReauthenticationRequired,
    InvalidFields, LastIdentifier, RateLimited.
    """
    who = guard.enforce(ctx, ctx.who, SIGNED_IN)
    own = user_fields.checked(dict(fields or {}), ctx.app.user, editable=True)
    made = store.Update(
        tenant=ctx.tenant.id,
        user_id=who.user.id,
        now=ctx.now(),
        display_name=_name(display_name),
        locale=_locale(locale),
        username=await _username(ctx, username),
        fields=own,
        updated=events.occur(ctx, events.ProfileUpdated),
        renamed=events.occur(ctx, events.UsernameChanged),
    )
    user, happened = await ctx.db.write(store.write, made, ctx.app.user)
    await events.tell_all(ctx, happened)
    return user


async def _username(ctx: Context, given: Given) -> Given:
    """Answer the name if it is another one, which needs a fresh authentication; UNSET if it stays."""
    if given is UNSET:
        return UNSET
    if not ctx.runtime.settings.get(Identifiers, ADDRESS_ONLY).username:
        raise field_error("username", "unknown", "There is no such field.")
    name = accounts.canonical_username(given) if isinstance(given, str) else None
    present = guard.enforce(ctx, ctx.who, SIGNED_IN).user.username
    if name == (present if isinstance(present, str) else None):
        return UNSET
    who = asking.member(ctx, fresh=True)
    await limits.count(ctx, Hit("username_change.account", who.user.id))
    return name


def _name(given: Given) -> Given:
    if not isinstance(given, str):
        return given
    name = given.strip()
    if len(name) > 200 or not name.isprintable() or not is_storable(name):
        raise field_error("display_name", "invalid", "This is no name that can be shown.")
    return name or None


def _locale(given: Given) -> Given:
    if isinstance(given, str) and (len(given) > 35 or not _LOCALE.match(given)):
        raise field_error("locale", "invalid", "Write a language such as 'de' or 'pt-BR'.")
    return given
