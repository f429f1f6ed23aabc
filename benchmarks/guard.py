"""What a guard of each framework leaves of a route's rate: a session on SQLite, and a JWT without I/O."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

import apps
from figure import Effort, Figure, at_least, scratch, told
from serving import load, request, served, sign_up, signed_up

SECONDS = 0.6
GUARDS = {
    "flask": ("Flask @require()", 0.60, 0.85),
    "django": ("Django @require, CONN_MAX_AGE=None", 0.60, 0.85),
    "fastapi": ("FastAPI CurrentUser", 0.42, 0.70),
    "litestar": ("Litestar guards=[require()]", 0.30, 0.52),
}
"""By framework: the guard, and what it should leave with a session on SQLite and with a JWT."""


def measure(effort: Effort) -> list[Figure]:
    """Load the same route with and without the guard, in turns, in one server."""
    return [figure for framework in GUARDS for figure in _of(framework, effort)]


def _of(framework: str, effort: Effort) -> Iterator[Figure]:
    guard, opaque, jwt = GUARDS[framework]
    yield at_least(f"guard: {guard}, of the bare route's rate", _kept(framework, effort), opaque)
    if framework == "django":
        name = "guard: Django @require, CONN_MAX_AGE=0 (Django's default), of the bare route's rate"
        yield told(name, _kept(framework, effort, conn_max_age="0"))
    yield at_least(f"guard: {guard} with a JWT, of the bare route's rate", _kept(framework, effort, "jwt"), jwt)


def _kept(framework: str, effort: Effort, strategy: str = "opaque", conn_max_age: str = "") -> float:
    seconds = effort.seconds(SECONDS)
    variables = {apps.CONN_MAX_AGE: conn_max_age, apps.STRATEGY: strategy}
    with scratch() as folder, served(framework, folder / "app.db", **variables) as port:
        headers = _headers(port, strategy)
        bare, guarded = request(apps.BARE, headers=headers), request(apps.GUARDED, headers=headers)
        load(port, [guarded], seconds=seconds)  # not counted
        return median(_round(port, bare, guarded, seconds, turn % 2 == 0) for turn in range(effort.rounds))


def _headers(port: int, strategy: str) -> dict[str, Any]:
    if strategy == "opaque":
        return {"Cookie": sign_up(port, 0)}
    return {"Authorization": f"Bearer {signed_up(port, 0)['access_token']}"}


def _round(port: int, bare: str, guarded: str, seconds: float, bare_first: bool) -> float:
    order = [bare, guarded] if bare_first else [guarded, bare]
    rates = {asked: load(port, [asked], seconds=seconds)["rate"] for asked in order}
    return rates[guarded] / rates[bare]
