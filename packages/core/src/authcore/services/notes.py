"""What a serving process noticed and `authcore doctor` tells later, from another process."""

from __future__ import annotations

from authcore.ports import KeyValue

UNDECLARED_PROXY = "note:undeclared-proxy"
KEEP = 7 * 24 * 3600.0  # seconds


async def write(kv: KeyValue, key: str, text: str) -> None:
    """Keep a note for a week, unless there is one."""
    if await kv.get(key) is None:
        await kv.put(key, text.encode(), KEEP)


async def read(kv: KeyValue, key: str) -> str | None:
    """Answer the note, or None."""
    found = await kv.get(key)
    return None if found is None else found.decode()
