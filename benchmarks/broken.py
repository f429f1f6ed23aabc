"""The target, broken on purpose, so that what measures it is seen to notice: `python broken.py dummy|write OPTIONS…`.

`dummy` answers without a hash where there is no password to compare with; `write` stores what a request for a reset
asks for only where there is an account.
"""

from __future__ import annotations

import sys
from typing import Any

from authcore.features.password import flow
from authcore.services import mailed
from authcore_conformance import target, target_server


def without_dummy() -> None:
    """Let addresses without a password cost no hash."""
    verify: Any = flow._verify

    async def broken(ctx: Any, digest: str | None, decoy: str, password: str) -> Any:
        return await verify(ctx, digest, decoy, password) if digest is not None else None

    flow._verify = broken


def without_void_rows() -> None:
    """Let challenges of addresses without an account be answered and not stored."""
    store = mailed.store

    async def broken(ctx: Any, made: Any, compose: Any, **options: Any) -> None:
        if not made.void:
            await store(ctx, made, compose, **options)

    mailed.store = broken  # type: ignore[assignment]


BREAKS = {"dummy": without_dummy, "write": without_void_rows}


def main() -> None:
    """Break, then be the target, or one of its servers."""
    name, *rest = sys.argv[1:]
    BREAKS[name]()
    if "--database" in rest:
        target.SERVER = (sys.executable, __file__, name)
        target.main(rest)
    else:
        sys.argv[1:] = rest
        target_server.main()


if __name__ == "__main__":
    main()
