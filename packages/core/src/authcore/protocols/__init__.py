"""What WSGI and ASGI say in authcore's words: shared by adapters, without a framework."""

from __future__ import annotations


def below(path: str, prefix: str) -> str | None:
    """Answer the part of a decoded path below the mount prefix, None if it stands elsewhere.

    "/auth/sign-in" answers "/sign-in", "/auth/" answers "/", the bare "/auth" answers "", "/authx" None.
    """
    rest = path.removeprefix(prefix) if path.startswith(prefix) else None
    return rest if rest is None or rest[:1] in ("", "/") else None
