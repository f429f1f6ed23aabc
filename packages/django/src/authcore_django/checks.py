"""What `manage.py check` says about authcore; the ids are stable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import Resolver404, resolve

from authcore import Auth, ConfigurationError
from authcore_django.outbox import DjangoOutbox
from authcore_django.settings import get_auth

_PARAMETER = re.compile(r"\{[a-z_]+\}")
_MOUNT = "authcore"
MIDDLEWARE = "authcore_django.middleware.AuthcoreMiddleware"


@register(Tags.security)
def check(**_given: Any) -> list[CheckMessage]:
    """Answer what is wrong with the settings, the database, the middleware and the URLs."""
    try:
        auth = get_auth()
    except ConfigurationError as error:
        return [Error(str(error), id="authcore.E002")]
    return [*_database(auth), *_middleware(), *_urls(auth)]


@register(Tags.security, deploy=True)
def check_deployment(**_given: Any) -> list[CheckMessage]:
    """Answer what `manage.py check --deploy` adds."""
    try:
        secure = get_auth().settings.secure
    except ConfigurationError:
        return []  # E002 says so
    hint = "Leave it out, and authcore says what it needs instead; `manage.py authcore doctor` tells more."
    message = "AUTHCORE['dev_mode'] keeps the secret in a file, prints mails and sends cookies without TLS."
    return [] if secure else [Warning(message, hint=hint, id="authcore.W003")]


def _database(auth: Auth) -> Iterator[CheckMessage]:
    source = auth.outbox.source if isinstance(auth.outbox, DjangoOutbox) else None
    if source is None:
        return
    given = source.wrapper.settings_dict
    if not given["AUTOCOMMIT"]:
        yield Error(
            f"DATABASES[{source.alias!r}] has no AUTOCOMMIT: failed sign-ins and wrong codes would not be counted.",
            hint='Leave "AUTOCOMMIT" out, and write transaction.atomic() where you need a transaction.',
            id="authcore.E003",
        )
    mode = given["OPTIONS"].get("transaction_mode") or ""
    if source.wrapper.vendor == "sqlite" and mode.upper() not in ("IMMEDIATE", "EXCLUSIVE"):
        yield Error(
            f"DATABASES[{source.alias!r}] opens transactions that fail at once beside another writer.",
            hint='Write "OPTIONS": {"transaction_mode": "IMMEDIATE"}.',
            id="authcore.E001",
        )


def _middleware() -> Iterator[CheckMessage]:
    if MIDDLEWARE not in settings.MIDDLEWARE:
        yield Warning(
            f"{MIDDLEWARE} is not in MIDDLEWARE: views have no request.authcore, an AuthError is a 500, and the bare "
            "prefix is not served.",
            hint=f"Add {MIDDLEWARE!r} after Django's own.",
            id="authcore.W001",
        )


def _view(path: str) -> str | None:
    try:
        match = resolve(path)
    except Resolver404:
        return None
    return _MOUNT if "authcore" in match.app_names else match._func_path


def _urls(auth: Auth) -> Iterator[CheckMessage]:
    if getattr(settings, "ROOT_URLCONF", None) is None:
        return  # a project of commands and tasks alone
    paths = [auth.prefix + _PARAMETER.sub("x", route.path) for route in auth.router.routes]
    views = {path: _view(path) for path in paths}
    if _MOUNT in views.values():
        for path in (path for path, view in views.items() if view != _MOUNT):
            yield Error(
                f"{path} leads to {views[path]}, before authcore, whose route it is.",
                hint='Write path(…, include("authcore_django.urls")) before patterns of your own below its prefix.',
                id="authcore.E004",
            )
    else:
        yield Warning(
            f"Nothing of authcore stands under {auth.prefix}, where its links and cookies lead.",
            hint=f'Write path("{auth.prefix[1:]}/", include("authcore_django.urls")), or set AUTHCORE["prefix"].',
            id="authcore.W002",
        )
