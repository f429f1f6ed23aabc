"""Litestar's own JWTAuth, and its SessionAuth with server-side sessions in Redis or by Advanced Alchemy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from advanced_alchemy.extensions.litestar import SQLAlchemyAsyncConfig
from advanced_alchemy.extensions.litestar.session import SessionModelMixin, SQLAlchemyAsyncSessionBackend
from apps import BARE, EMAIL, GUARDED
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.security.jwt import JWTAuth, Token
from litestar.security.session_auth import SessionAuth
from litestar.stores.redis import RedisStore
from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from peers.shared import CREDENTIAL, LONG, WHO, bearer, driven, key_prefix, redis_url

Connection = ASGIConnection[Any, Any, Any, Any]
OPEN = [BARE, CREDENTIAL]


class Base(DeclarativeBase):
    """The application's own table."""


class User(Base):
    """A user."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320))


class Session(SessionModelMixin):
    """A session in the database."""

    __tablename__ = "people_sessions"


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who a token says its owner is."""

    email: str


class Users:
    """The users of one application."""

    def __init__(self) -> None:
        self.engine = create_async_engine(driven(sqlite="aiosqlite", postgresql="asyncpg"))
        self.make_session = async_sessionmaker(self.engine, expire_on_commit=False)

    async def start(self) -> None:
        """Make the tables and the user."""
        async with self.engine.begin() as tx:
            await tx.run_sync(Base.metadata.create_all)
            await tx.run_sync(SessionModelMixin.metadata.create_all)
        async with self.make_session() as session, session.begin():
            session.add(User(id=1, email=WHO))

    async def stop(self) -> None:
        """Let the connections go."""
        await self.engine.dispose()

    async def find(self, number: int) -> User | None:
        """Read a user."""
        async with self.make_session() as session:
            return (await session.execute(select(User).where(User.id == number))).scalar_one_or_none()


@get(BARE)
async def bare(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    """Answer anybody."""
    return {"hello": EMAIL}


@get(GUARDED)
async def guarded(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    """Answer who is signed in."""
    return {"hello": request.user.email}


def _jwt(users: Users, retrieve: Callable[[Token, Connection], Any]) -> Litestar:
    auth: JWTAuth[Any] = JWTAuth(retrieve_user_handler=retrieve, token_secret=LONG, exclude=OPEN)

    @get(CREDENTIAL)
    async def credential() -> dict[str, Any]:
        return bearer(auth.create_token("1", token_extras={"email": WHO}))

    routes = [bare, guarded, credential]
    return Litestar(routes, on_app_init=[auth.on_app_init], on_startup=[users.start], on_shutdown=[users.stop])


def jwt() -> Litestar:
    """Answer an application that takes the user from the token."""

    async def retrieve(token: Token, connection: Connection) -> Claimed:
        return Claimed(token.extras["email"])

    return _jwt(Users(), retrieve)


def jwt_user() -> Litestar:
    """Answer an application that reads the user whom the token names."""
    users = Users()

    async def retrieve(token: Token, connection: Connection) -> User | None:
        return await users.find(int(token.sub))

    return _jwt(users, retrieve)


def _session(users: Users, config: ServerSideSessionConfig, **options: Any) -> Litestar:
    async def retrieve(session: dict[str, Any], connection: Connection) -> User | None:
        return await users.find(session["user"])

    @get(CREDENTIAL)
    async def credential(request: Request[Any, Any, Any]) -> dict[str, Any]:
        request.set_session({"user": 1})
        return {"headers": {}}

    auth: SessionAuth[Any, Any] = SessionAuth(
        session_backend_config=config, retrieve_user_handler=retrieve, exclude=OPEN
    )
    return Litestar(
        [bare, guarded, credential],
        on_app_init=[auth.on_app_init],
        on_startup=[users.start],
        on_shutdown=[users.stop],
        **options,
    )


def session_in_redis() -> Litestar:
    """Answer an application with sessions in Redis and the user in the database."""
    store = RedisStore(redis.asyncio.from_url(redis_url()), namespace=key_prefix())
    return _session(Users(), ServerSideSessionConfig(secure=True, exclude=f"^{BARE}$"), stores={"sessions": store})


def session_in_database() -> Litestar:
    """Answer an application with sessions in the database, through Advanced Alchemy's backend."""
    users = Users()

    class Backend(SQLAlchemyAsyncSessionBackend):
        def __init__(self, config: ServerSideSessionConfig) -> None:
            super().__init__(config, SQLAlchemyAsyncConfig(engine_instance=users.engine), Session)

    @dataclass
    class Config(ServerSideSessionConfig):
        _backend_class = Backend

    return _session(users, Config(secure=True, exclude=f"^{BARE}$"))


ASGI: dict[str, Callable[[], Any]] = {
    "jwt": jwt,
    "jwt_user": jwt_user,
    "session_redis": session_in_redis,
    "session": session_in_database,
}
