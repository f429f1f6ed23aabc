"""A session after a check of the application's own, still through the pipeline: of a user, or of a new one (S23)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from authcore.context import Context
from authcore.decode import is_storable, to_struct
from authcore.errors import Conflict, NotFound, field_error
from authcore.features.sessions import store
from authcore.features.sessions.schemas import ManagedUser
from authcore.features.sessions.store import Upsert
from authcore.services import accounts, admission, events, guests, json_values
from authcore.services import sign_in as pipeline
from authcore.services import transport as ways
from authcore.services.accounts import EMAIL_PASSWORD, Account
from authcore.services.sessions import SessionSettings, Transport
from authcore.services.sign_in import Outcome

MAX_CLAIMS = 2048  # bytes of JSON
MAX_SCOPES = 100
_METHOD = re.compile(r"[a-z][a-z0-9_.-]{0,31}\Z")
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,200}\Z")  # RFC 6749 3.3
_TRIES = 3


async def create_session(
    ctx: Context,
    *,
    user_id: str | None = None,
    user: Mapping[str, Any] | ManagedUser | None = None,
    amr: Sequence[str] = (),
    transport: Transport | None = None,
    device_id: str | None = None,
    device_name: str | None = None,
    fingerprint: str | None = None,
    remember_me: bool | None = None,
    claims: Mapping[str, Any] | msgspec.Struct | None = None,
    scopes: Sequence[str] | None = None,
) -> Outcome:
    """Sign somebody in whom the application's own code has checked: the user of an id, or of an address.

    `user` is {"email", "display_name"?, "email_verified"?, "roles"?}: who has the address signs in, and whoever is new
    is made first. `amr` says what was proven, by RFC 8176's names: steps that it covers are not asked again, and `aal`
    is 2 where it names two kinds of factor; mailed and texted codes are none. `claims` is a JSON object of at most
    2 KiB, or the struct of `Sessions(claims=…)`; `roles` become its claim of that name. `scopes` are RFC 6749's.
    Raises NotFound for an unknown id, InvalidCredentials for a disabled account, InvalidFields, Conflict, SignUpClosed.
    """
    proof = pipeline.stated(methods(amr))
    via = ways.chosen(ctx, transport, device_id, device_name, remember_me)
    given = _managed(user, user_id)
    carried = _claims(ctx, claims, given.roles if given else None)
    granted = _scopes(scopes)
    mark = _fingerprint(fingerprint)
    account = await _upserted(ctx, given) if given else await _known(ctx, user_id or "")
    return await pipeline.complete(
        ctx,
        account,
        proof,
        via=via,
        device_id=device_id,
        device_name=device_name,
        guest=await guests.present(ctx),
        remember_me=remember_me,
        fingerprint=mark,
        scopes=granted,
        claims=carried,
    )


# --- whose ---


def _managed(user: Mapping[str, Any] | ManagedUser | None, user_id: str | None) -> ManagedUser | None:
    if (user is None) == (user_id is None):
        raise field_error("user_id", "missing" if user is None else "invalid", "Give one of user_id and user.")
    if user is None:
        return None
    given = to_struct(msgspec.to_builtins(user), ManagedUser)
    name = given.display_name
    if name is not None and not (name.isprintable() and is_storable(name)):
        raise field_error("display_name", "invalid", "This is no name that can be shown.")
    return msgspec.structs.replace(given, email=accounts.canonical_email(given.email))


async def _known(ctx: Context, user_id: str) -> Account:
    if not isinstance(user_id, str):
        raise field_error("user_id", "wrong_type", "A user's id is text.")
    account = None
    if is_storable(user_id):
        account = await ctx.db.read(accounts.by_id, ctx.tenant.id, user_id, ctx.app.user)
    if account is None:
        raise NotFound("There is no such user.")
    return account


async def _upserted(ctx: Context, given: ManagedUser) -> Account:
    for _ in range(_TRIES):
        done = await ctx.db.write(store.upsert, await _drawn(ctx, given), ctx.app.user)
        if done is not None:
            await events.tell_all(ctx, done.told)
            return done.account
    # The address is kept for somebody who left it, or its owner comes and goes faster than this.
    raise Conflict()


async def _drawn(ctx: Context, given: ManagedUser) -> Upsert:
    owner = await ctx.db.read(accounts.owner, ctx.tenant.id, EMAIL_PASSWORD, given.email)
    new = None
    if owner is None:
        new = await admission.new_user(
            ctx,
            way="administration",
            email=given.email,
            verified=given.email_verified,
            display_name=given.display_name,
        )
    return Upsert(
        tenant=ctx.tenant.id,
        email=given.email,
        verified=given.email_verified,
        display_name=given.display_name,
        now=ctx.now(),
        new=new,
        born=events.occur_all(ctx, *guests.born(ctx, new)) if new is not None else (),
        proven=events.occur(ctx, events.Verified),
        updated=events.occur(ctx, events.ProfileUpdated),
    )


# --- what it carries ---


def methods(amr: Sequence[str]) -> tuple[str, ...]:
    """Answer what an application says that it checked; raise InvalidFields for what is no list of methods."""
    methods = tuple(_distinct(amr))
    if len(methods) > 10 or not all(_METHOD.match(each) for each in methods):
        raise field_error("amr", "invalid", "Write a list of methods by their names in RFC 8176, such as ('pwd',).")
    return methods


def _claims(
    ctx: Context, claims: Mapping[str, Any] | msgspec.Struct | None, roles: list[str] | None
) -> dict[str, Any] | None:
    if claims is None and roles is None:
        return None
    found = {} if claims is None else json_values.plain(claims, "claims")
    if not isinstance(found, dict):
        raise field_error("claims", "wrong_type", "Claims are an object of JSON.")
    if roles is not None:
        if found.get("roles", roles) != roles:
            raise field_error("claims", "invalid", "The claim `roles` is what the user's roles say.")
        found["roles"] = roles
    kind = ctx.settings(SessionSettings).claims
    if kind is not None:
        found = msgspec.to_builtins(to_struct(found, kind))
    if json_values.size(found) > MAX_CLAIMS:
        raise field_error("claims", "too_long", f"Claims are at most {MAX_CLAIMS} bytes of JSON.")
    return found


def _scopes(scopes: Sequence[str] | None) -> list[str] | None:
    if scopes is None:
        return None
    found = _distinct(scopes)
    if len(found) > MAX_SCOPES or not all(_SCOPE.match(each) for each in found):
        raise field_error("scopes", "invalid", "Write a list of scopes, such as ['orders:read'].")
    return found


def _distinct(texts: Sequence[object]) -> list[str]:
    """Answer texts without repetitions; what is no text, or no list of them, becomes one that nothing takes."""
    if isinstance(texts, str):
        return [""]
    return list(dict.fromkeys(each if isinstance(each, str) else "" for each in texts))


def _fingerprint(text: str | None) -> str | None:
    if text is not None and not (0 < len(text) <= 200 and text.isprintable() and is_storable(text)):
        raise field_error("fingerprint", "invalid", "A fingerprint is 1 to 200 printable characters.")
    return text
