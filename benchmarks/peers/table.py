"""What is measured: a line for each target. Within a group — framework, credential, store — one is beside the other.

`served` is what `server.py` starts. Of a Redis target the credential is in Redis and the user in PostgreSQL. A target
that does not read the user takes what it answers out of the token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from apps import BARE, GUARDED

from peers.shared import REFRESH

Framework = Literal["flask", "django", "fastapi", "litestar"]
Credential = Literal["session", "jwt", "refresh"]
Store = Literal["sqlite", "postgresql", "redis"]
Side = Literal["authcore", "peer", "bare", "statements"]

FRAMEWORKS: tuple[Framework, ...] = ("flask", "django", "fastapi", "litestar")
ON_LOOP: tuple[Framework, ...] = FRAMEWORKS[2:]
CREDENTIALS: tuple[Credential, ...] = ("session", "jwt", "refresh")
STORES: tuple[Store, ...] = ("sqlite", "postgresql", "redis")
SQL: tuple[Store, ...] = STORES[:2]


@dataclass(frozen=True, slots=True)
class Target:
    """One application on one store, and the route that is asked."""

    framework: Framework
    credential: Credential
    store: Store
    name: str
    served: str
    side: Side = "peer"
    path: str = GUARDED
    named: str = "refresh"
    """Where the answer to a refresh, and its body, hold the token; the body by its last part."""
    reads_user: bool = True
    strategy: str = "opaque"
    """Of `apps.STRATEGIES`, for authcore."""
    bearer: bool = False
    """Whether authcore's client sends a bearer token, or else the session's cookie."""
    drive: str = ""
    """Authcore's `async_drive`, where it is not the one by default."""

    @property
    def group(self) -> tuple[Framework, Credential, Store]:
        """Answer what it shares with those it stands beside."""
        return self.framework, self.credential, self.store


def peer(
    framework: Framework, credential: Credential, name: str, served: str, *stores: Store, reads_user: bool = True
) -> Iterator[Target]:
    """Answer another library's guard, on each store."""
    for store in stores:
        yield Target(framework, credential, store, name, f"peers.{served}", reads_user=reads_user)


def authcore(
    credential: Literal["session", "jwt"],
    name: str,
    *stores: Store,
    strategy: str = "opaque",
    path: str = GUARDED,
    reads_user: bool = True,
    bearer: bool = False,
    drive: str = "",
    frameworks: tuple[Framework, ...] = FRAMEWORKS,
) -> Iterator[Target]:
    """Answer authcore's guard, on each framework and store."""
    for framework in frameworks:
        for store in stores:
            yield Target(
                framework,
                credential,
                store,
                f"authcore, {name}",
                framework,
                side="authcore",
                path=path,
                reads_user=reads_user,
                strategy=strategy,
                bearer=bearer,
                drive=drive,
            )


def bare(guards: tuple[Target, ...]) -> Iterator[Target]:
    """Answer the framework without anything, once for each group."""
    for framework, credential, store in dict.fromkeys(target.group for target in guards):
        served = f"peers.bare:{framework}"
        yield Target(framework, credential, store, "bare", served, side="bare", path=BARE, reads_user=False)


def rotations() -> Iterator[Target]:
    """Answer authcore's refresh on each framework and database, and the two statements beside it on PostgreSQL."""
    for framework in FRAMEWORKS:
        yield _refresh(framework, "sqlite", "POST /refresh")
        yield _refresh(framework, "postgresql", "POST /refresh")
        if framework in ON_LOOP:
            yield _refresh(framework, "postgresql", "POST /refresh, asyncio", drive="asyncio")
        served = f"peers.statements:{framework}"
        yield Target(framework, "refresh", "postgresql", "two bare statements", served, side="statements", path=REFRESH)


def _refresh(framework: Framework, store: Store, name: str, *, drive: str = "") -> Target:
    return Target(
        framework,
        "refresh",
        store,
        f"authcore, {name}",
        framework,
        side="authcore",
        path="/auth/refresh",
        named="refresh_token",
        bearer=True,
        drive=drive,
    )


def rotating_peers() -> Iterator[Target]:
    """Answer the peers that rotate refresh tokens."""
    for store in SQL:
        name = "simplejwt, rotation with its blacklist"
        yield Target("django", "refresh", store, name, "peers.on_django:simplejwt", path=REFRESH)
        path, named = "/_allauth/app/v1/tokens/refresh", "data.refresh_token"
        name = "allauth headless, JWT rotation"
        yield Target("django", "refresh", store, name, "peers.on_django:allauth_jwt", path=path, named=named)


GUARDS: tuple[Target, ...] = (
    *authcore("session", "opaque session", *SQL),
    *authcore("session", "opaque session, asyncio", "postgresql", drive="asyncio", frameworks=ON_LOOP),
    *authcore("session", "opaque session in Redis", "redis", strategy="redis", bearer=True),
    *authcore(
        "session",
        "opaque session in Redis, asyncio",
        "redis",
        strategy="redis",
        bearer=True,
        drive="asyncio",
        frameworks=ON_LOOP,
    ),
    *authcore("jwt", "JWT, no I/O", *SQL, strategy="jwt", bearer=True, reads_user=False),
    *peer("flask", "session", "Flask-Security, session cookie", "on_flask:session", *SQL),
    *peer("flask", "session", "Flask-Security, auth token", "on_flask:token", *SQL),
    *peer("flask", "session", "Flask-Security, Flask-Session in Redis", "on_flask:session_redis", "redis"),
    *peer("django", "session", "Django, login_required, db", "on_django:session", *SQL),
    *peer("django", "session", "Django, login_required, cached_db", "on_django:session_cached", "redis"),
    *peer("django", "session", "allauth headless, session token", "on_django:allauth", *SQL),
    *peer("django", "session", "allauth headless, session token, cached_db", "on_django:allauth_cached", "redis"),
    *peer("fastapi", "session", "fastapi-users, DatabaseStrategy", "on_fastapi:database", *SQL),
    *peer("fastapi", "session", "fastapi-users, RedisStrategy", "on_fastapi:redis", "redis"),
    *peer("litestar", "session", "Litestar SessionAuth, Advanced Alchemy", "on_litestar:session", *SQL),
    *peer("litestar", "session", "Litestar SessionAuth, RedisStore", "on_litestar:session_redis", "redis"),
    *peer("django", "jwt", "simplejwt, stateless", "on_django:simplejwt", "sqlite", reads_user=False),
    *peer("django", "jwt", "simplejwt, user", "on_django:simplejwt_user", *SQL),
    *peer("django", "jwt", "allauth headless, JWT, user", "on_django:allauth_jwt", *SQL),
    *peer("fastapi", "jwt", "fastapi-users, JWTStrategy, user", "on_fastapi:jwt", *SQL),
    *peer("litestar", "jwt", "Litestar JWTAuth, no I/O", "on_litestar:jwt", "sqlite", reads_user=False),
    *peer("litestar", "jwt", "Litestar JWTAuth, user", "on_litestar:jwt_user", *SQL),
)
TARGETS: tuple[Target, ...] = (
    *GUARDS,
    *bare(GUARDS),
    *rotations(),
    *rotating_peers(),
)
