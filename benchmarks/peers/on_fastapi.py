"""fastapi-users over its SQLAlchemy adapter: each strategy as its documentation sets it up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
from apps import BARE, EMAIL, GUARDED, PASSWORD
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy, RedisStrategy
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from peers.shared import CREDENTIAL, HOUR, LONG, WHO, bearer, driven, key_prefix, redis_url


class Base(DeclarativeBase):
    """The tables of this application."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """A token of the DatabaseStrategy."""


class UserManager(UUIDIDMixin, BaseUserManager[User, Any]):
    """What makes users."""


def _application(depend: Callable[[Any], Callable[..., Any]]) -> FastAPI:
    """Answer an application whose strategy comes from `depend`, given the dependency of a database session."""
    engine = create_async_engine(driven(sqlite="aiosqlite", postgresql="asyncpg"))
    make_session = async_sessionmaker(engine, expire_on_commit=False)

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with make_session() as session:
            yield session

    async def get_user_db(session: Any = Depends(get_session)) -> AsyncIterator[Any]:
        yield SQLAlchemyUserDatabase(session, User)

    async def get_manager(database: Any = Depends(get_user_db)) -> AsyncIterator[UserManager]:
        yield UserManager(database)

    get_strategy = depend(get_session)
    backend = AuthenticationBackend("bench", BearerTransport(tokenUrl="login"), get_strategy)
    current_user = FastAPIUsers(get_manager, [backend]).current_user(active=True)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as tx:
            await tx.run_sync(Base.metadata.create_all)
        async with make_session() as session:
            manager = UserManager(SQLAlchemyUserDatabase(session, User))
            await manager.create(schemas.BaseUserCreate(email=WHO, password=PASSWORD))
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get(BARE)
    async def bare() -> dict[str, str | None]:
        return {"hello": EMAIL}

    @app.get(GUARDED)
    async def guarded(user: Any = Depends(current_user)) -> dict[str, str | None]:
        return {"hello": user.email}

    @app.get(CREDENTIAL)
    async def credential(manager: Any = Depends(get_manager), strategy: Any = Depends(get_strategy)) -> dict[str, Any]:
        return bearer(await strategy.write_token(await manager.get_by_email(WHO)))

    return app


def jwt() -> FastAPI:
    """Answer an application with the JWTStrategy, which reads the user for each request."""

    def get_strategy() -> Any:
        return JWTStrategy(LONG, HOUR)

    return _application(lambda get_session: get_strategy)


def database() -> FastAPI:
    """Answer an application with the DatabaseStrategy."""

    def depend(get_session: Any) -> Callable[..., Any]:
        def get_strategy(session: Any = Depends(get_session)) -> Any:
            return DatabaseStrategy(SQLAlchemyAccessTokenDatabase(session, AccessToken), HOUR)

        return get_strategy

    return _application(depend)


def in_redis() -> FastAPI:
    """Answer an application with the RedisStrategy: the token in Redis, the user in the database."""
    client = redis.asyncio.from_url(redis_url(), decode_responses=True)

    def get_strategy() -> Any:
        return RedisStrategy(client, HOUR, key_prefix=key_prefix())

    return _application(lambda get_session: get_strategy)


ASGI: dict[str, Callable[[], Any]] = {"jwt": jwt, "database": database, "redis": in_redis}
