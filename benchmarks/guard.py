"""What a framework's own guard leaves of a route's rate, with an opaque session on SQLite."""

from __future__ import annotations

from statistics import median

import apps
from figure import Effort, Figure, at_least, scratch, told
from serving import load, request, served, sign_up

SECONDS = 0.6
GUARDS = {
    "flask": ("Flask @require()", 0.55),
    "django": ("Django @require, CONN_MAX_AGE=None", 0.55),
    "fastapi": ("FastAPI CurrentUser", 0.38),
    "litestar": ("Litestar guards=[require()]", 0.28),
}


def measure(effort: Effort) -> list[Figure]:
    """Load the same route with and without the guard, in turns, in one server."""
    found = []
    for framework, (guard, goal) in GUARDS.items():
        found.append(at_least(f"guard: {guard}, of the bare route's rate", _kept(framework, effort, ""), goal))
        if framework == "django":
            name = "guard: Django @require, CONN_MAX_AGE=0 (Django's default), of the bare route's rate"
            found.append(told(name, _kept(framework, effort, "0")))
    return found


def _kept(framework: str, effort: Effort, conn_max_age: str) -> float:
    seconds = effort.seconds(SECONDS)
    with scratch() as folder, served(framework, folder / "app.db", **{apps.CONN_MAX_AGE: conn_max_age}) as port:
        cookie = {"Cookie": sign_up(port, 0)}
        bare, guarded = request(apps.BARE, headers=cookie), request(apps.GUARDED, headers=cookie)
        load(port, [guarded], seconds=seconds)  # not counted
        return median(_round(port, bare, guarded, seconds, turn % 2 == 0) for turn in range(effort.rounds))


def _round(port: int, bare: str, guarded: str, seconds: float, bare_first: bool) -> float:
    order = [bare, guarded] if bare_first else [guarded, bare]
    rates = {asked: load(port, [asked], seconds=seconds)["rate"] for asked in order}
    return rates[guarded] / rates[bare]
