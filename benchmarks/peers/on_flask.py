"""Flask-Security over Flask-SQLAlchemy: its session cookie, signed or kept in Redis, and its authentication token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from apps import BARE, EMAIL, GUARDED, PASSWORD
from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, hash_password, login_user
from flask_security.models import fsqla_v3
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy

from peers.shared import CREDENTIAL, LONG, WHO, driven, key_prefix, redis_url


def _application(mechanism: str, credential: Callable[[Any], dict[str, Any]]) -> Flask:
    """Answer an application that lets a mechanism in; `credential` makes what the client sends, for a user."""
    app = Flask("bench")
    app.config.update(
        SECRET_KEY=LONG,
        SECURITY_PASSWORD_SALT=LONG,
        SQLALCHEMY_DATABASE_URI=driven(),
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    db = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(db)
    role = type("Role", (db.Model, fsqla_v3.FsRoleMixin), {})
    user = type("User", (db.Model, fsqla_v3.FsUserMixin), {})
    store = SQLAlchemyUserDatastore(db, user, role)
    Security(app, store)
    with app.app_context():
        db.create_all()
        store.create_user(email=WHO, password=hash_password(PASSWORD))
        store.commit()
        db.engine.dispose()

    @app.get(BARE)
    def bare() -> dict[str, str | None]:
        return {"hello": EMAIL}

    @app.get(GUARDED)
    @auth_required(mechanism)
    def guarded() -> dict[str, str | None]:
        return {"hello": current_user.email}

    @app.get(CREDENTIAL)
    def make_credential() -> dict[str, Any]:
        return credential(store.find_user(email=WHO))

    return app


def session() -> Flask:
    """Answer an application that looks for its session cookie, signed, and reads the user."""

    def credential(user: Any) -> dict[str, Any]:
        login_user(user)
        return {"headers": {}}

    return _application("session", credential)


def token() -> Flask:
    """Answer an application that looks for its authentication token, signed, and reads the user."""
    return _application("token", lambda user: {"headers": {"Authentication-Token": user.get_auth_token()}})


def session_in_redis() -> Flask:
    """Answer an application whose sessions Flask-Session keeps in Redis; the user is in the database."""
    app = session()
    client = redis.Redis.from_url(redis_url())
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=client, SESSION_KEY_PREFIX=key_prefix())
    Session(app)
    return app


WSGI: dict[str, Callable[[], Any]] = {"session": session, "session_redis": session_in_redis, "token": token}
