"""What is removed once nobody needs it: rows that are over, each kind after a time of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, runtime_checkable

from authcore.context import Context, Runtime
from authcore.feature import Retention
from authcore.services import challenges, journal, outbox

BATCH = 500  # rows in one transaction
MOST = 20  # transactions of one kind in one sweep; what is left waits for the next

SERVICES = (
    Retention("challenges", challenges.KEEP, challenges.clean),
    Retention("effects", outbox.KEEP, outbox.clean),
    Retention("given_up", outbox.KEEP_GIVEN_UP, outbox.clean_given_up),
    Retention("events", journal.KEEP, journal.clean),
)
"""A room's own time for one of these names stands in its place."""


@runtime_checkable
class Sweeping(Protocol):
    """A key-value store in which expired keys stay until they are swept out; others expire by themselves."""

    async def sweep(self) -> int:
        """Remove some expired keys; answer how many."""
        ...


async def sweep(runtime: Runtime) -> dict[str, int]:
    """Remove what services and rooms no longer keep; answer how many rows of each kind. Raises Unavailable.

    It is bounded, may be called at any time, by any number of processes, and does no harm when it is stopped.
    """
    rooms = (retention for feature in runtime.features for retention in feature.retentions)
    kinds = {retention.name: retention for retention in (*SERVICES, *rooms)}
    removed = {name: await _clean(runtime, retention) for name, retention in kinds.items()}
    for sweeping in (each for feature in runtime.features for each in feature.sweeps):
        removed[sweeping.name] = await _until_nothing(partial(sweeping.run, Context(runtime), BATCH), least=BATCH)
    if isinstance(runtime.ports.kv, Sweeping):
        removed["kv"] = await _until_nothing(runtime.ports.kv.sweep, least=1)
    return removed


async def _clean(runtime: Runtime, retention: Retention) -> int:
    before = runtime.ports.clock.now() - retention.keep
    return await _until_nothing(lambda: runtime.ports.db.write(retention.clean, before, BATCH), least=BATCH)


async def _until_nothing(batch: Callable[[], Awaitable[int]], *, least: int) -> int:
    """Run batches until one removes fewer than `least`, or enough of them ran; answer the sum."""
    total = 0
    for _ in range(MOST):
        removed = await batch()
        total += removed
        if removed < least:
            break
    return total
