"""What a token that says everything itself costs a guard: at first sight, once it is known, and beside PyJWT alone."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import process_time
from typing import Any

import jwt
from figure import Effort, Figure, at_most, told

from authcore.backends.credentials.sealed import SealedCredentialStore
from authcore.backends.system import SystemClock
from authcore.drive import run_blocking
from authcore.services.jwt import JwtKey
from authcore.services.jwt_ring import JwtKeys
from authcore.services.verified import JwtReader
from authcore.stores import CredentialState

CALLS = 2_000  # a measurement
FIRST = 32.0  # µs for HS256, of which PyJWT alone took 30 where the goal was set
KNOWN = 3.0  # µs
ISSUER = "https://example.com"


def measure(effort: Effort) -> list[Figure]:
    """Verify one access token of usual size in turns; each figure is the median over the rounds."""
    calls = {"HS256": _first("HS256"), "ES256": _first("ES256"), **_others()}
    rounds = [{name: _timed(call) for name, call in calls.items()} for _ in range(effort.rounds * 3)]
    took = {name: median(each[name] for each in rounds) for name in calls}
    return [
        at_most("token: HS256 at first sight, µs of CPU", took["HS256"], FIRST),
        at_most("token: one that is known already, µs of CPU", took["known"], KNOWN),
        at_most("token: HS256 at first sight, of PyJWT alone", took["HS256"] / took["PyJWT"], 1.0),
        told("token: PyJWT alone, µs of CPU", took["PyJWT"]),
        told("token: ES256 at first sight, µs of CPU", took["ES256"]),
        told("token: signing HS256, µs of CPU", took["sign"]),
        told("token: a sealed one opened, µs of CPU", took["sealed"]),
    ]


def _first(algorithm: str) -> Callable[[], Any]:
    ring = JwtKeys([JwtKey.secret(secrets.token_bytes(32)) if algorithm == "HS256" else JwtKey.make(algorithm)])
    token, clock = ring.sign(_claims(), typ="at+jwt"), SystemClock()
    return lambda: ring.verify(token, typ="at+jwt", issuer=ISSUER, audience=ISSUER, now=clock.now())


def _others() -> dict[str, Callable[[], Any]]:
    secret, clock = secrets.token_bytes(32), SystemClock()
    ring, claims = JwtKeys([JwtKey.secret(secret)]), _claims()
    token = ring.sign(claims, typ="at+jwt")
    reader = JwtReader(ring, typ="at+jwt", issuer=ISSUER, audience=ISSUER, clock=clock)
    run_blocking(reader.read(token))
    return {
        "known": lambda: reader.known(token, clock.now()),
        "PyJWT": lambda: jwt.decode(token, secret, ["HS256"], issuer=ISSUER, audience=ISSUER),
        "sign": lambda: ring.sign(claims, typ="at+jwt"),
        "sealed": _sealed(),
    }


def _sealed() -> Callable[[], Any]:
    store, now = SealedCredentialStore(secrets.token_bytes(32)), datetime.now(UTC)
    claims = {name: value for name, value in _claims().items() if name in ("sid", "amr", "aal", "auth_time")}
    state = CredentialState(user_id="ada", issued_at=now, expires_at=now + timedelta(hours=1), claims=claims)
    token = run_blocking(store.persist(state))
    return lambda: run_blocking(store.retrieve(token))


def _claims() -> dict[str, Any]:
    at = int(datetime.now(UTC).timestamp())
    return {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "0190a0d0-0000-7000-8000-000000000000",
        "jti": secrets.token_urlsafe(16),
        "iat": at,
        "exp": at + 3600,
        "sid": "0190a0d0-0000-7000-8000-000000000001",
        "amr": ["pwd", "otp"],
        "aal": 2,
        "auth_time": at,
    }


def _timed(call: Callable[[], Any]) -> float:
    began = process_time()  # what others do on the machine meanwhile is none of it
    for _ in range(CALLS):
        call()
    return (process_time() - began) / CALLS * 1e6
