"""What authcore should reach, and where a row stands: its figures by what they compare it with."""

from __future__ import annotations

from collections.abc import Sequence

from figure import Figure, at_least, told

from peers.measure import Row

OF_BARE: dict[tuple[str, str | None], dict[str, float]] = {
    ("jwt", None): {"flask": 0.85, "django": 0.85, "fastapi": 0.70, "litestar": 0.52},
    ("session", "sqlite"): {"flask": 0.60, "django": 0.60, "fastapi": 0.42, "litestar": 0.30},
}
"""What a guard leaves of the bare route, by credential and the store that it asks, None if it asks none."""
OF_PEER = {"postgresql": 3.0, "redis": 3.0}
"""Times the best peer's sessions."""
ROTATIONS = {"sqlite": 1000.0}
"""Refreshes a second."""
OF_STATEMENTS = 0.6
"""Of what two bare statements in a transaction reach."""


def figures(row: Row, rows: Sequence[Row]) -> dict[str, Figure]:
    """Answer a row's figures: `rate`, and of the others what applies."""
    beside = {"of_bare": _of_bare(row), "of_framework": _of_framework(row, rows)}
    if row.target.side == "authcore":
        beside |= {"of_peer": _of_peer(row, rows), "of_statements": _of_statements(row, rows)}
    return {"rate": _rate(row), **{name: figure for name, figure in beside.items() if figure}}


def best_peer(row: Row, rows: Sequence[Row]) -> Row | None:
    """Answer the fastest peer of a row among those that read as much as it does, or among all if none does."""
    peers = _beside("peer", row, rows)
    alike = [other for other in peers if other.target.reads_user == row.target.reads_user]
    return max(alike or peers, key=lambda other: other.rate, default=None)


def _rate(row: Row) -> Figure:
    goal = ROTATIONS.get(row.target.store) if row.target.credential == "refresh" else None
    return _figure(row, f"{_name(row)}, a second", row.rate, goal)


def _of_bare(row: Row) -> Figure | None:
    if row.of_bare is None:
        return None
    target = row.target
    goals = OF_BARE.get((target.credential, target.store if target.reads_user else None), {})
    return _figure(row, f"{_name(row)}, of the bare route beside it", row.of_bare, goals.get(target.framework))


def _of_framework(row: Row, rows: Sequence[Row]) -> Figure | None:
    found = _beside("bare", row, rows)
    if not found or row.target.side == "bare":
        return None
    return told(f"{_name(row)}, of {row.target.framework} without anything", row.over(found[0]))


def _of_peer(row: Row, rows: Sequence[Row]) -> Figure | None:
    best = best_peer(row, rows)
    if best is None:
        return None
    goal = OF_PEER.get(row.target.store) if row.target.credential == "session" else None
    return _figure(row, f"{_name(row)}, times {best.target.name}", row.over(best), goal)


def _of_statements(row: Row, rows: Sequence[Row]) -> Figure | None:
    found = _beside("statements", row, rows)
    if not found:
        return None
    return _figure(row, f"{_name(row)}, of {found[0].target.name}", row.over(found[0]), OF_STATEMENTS)


def _beside(side: str, row: Row, rows: Sequence[Row]) -> list[Row]:
    return [other for other in rows if other.target.side == side and other.target.group == row.target.group]


def _name(row: Row) -> str:
    return f"{row.target.framework}, {row.target.store}: {row.target.name}"


def _figure(row: Row, name: str, figure: float, goal: float | None) -> Figure:
    """Answer a figure; a goal is authcore's alone."""
    return told(name, figure) if goal is None or row.target.side != "authcore" else at_least(name, figure, goal)
