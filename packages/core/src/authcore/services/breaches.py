"""Passwords that others lost: known by the SHA-1 of what was breached, asked of a service or looked up in files.

The service hears five of forty digits and answers every digest that begins so: which password was asked about it
cannot tell (k-anonymity). The files are the same list, downloaded.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterable
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from authcore.context import Context
from authcore.errors import ConfigurationError, Unavailable

PREFIX = 5  # hexadecimal digits that leave the server
_DIGITS = 40  # of a SHA-1


@runtime_checkable
class Breaches(Protocol):
    """What knows breached passwords; an application may give its own."""

    async def contains(self, ctx: Context, digest: str) -> bool:
        """Tell whether a password was breached, by the SHA-1 of its UTF-8 in upper-case hexadecimal.

        Raises Unavailable or OSError where it cannot tell: the password then passes, and `BreachCheckFailed` is told.
        """
        ...


class BreachService:
    """Ask a service that speaks the range protocol: `GET {base_url}/range/ABCDE`, answered by `SUFFIX:COUNT` lines."""

    def __init__(self, base_url: str = "https://api.pwnedpasswords.com") -> None:
        if not str(base_url).startswith("https://"):
            raise ConfigurationError("BreachService(base_url=…) is an https address, such as 'https://example.com'.")
        if find_spec("httpx2") is None:
            raise ConfigurationError("BreachService() asks another server: pip install 'authcore[http]'.")
        self.base_url = base_url.rstrip("/")

    async def contains(self, ctx: Context, digest: str) -> bool:
        """Tell whether a password was breached; raise Unavailable."""
        # Padding hides behind the answer's length which prefix was asked for; padded lines count 0.
        url = f"{self.base_url}/range/{digest[:PREFIX]}"
        answer = await ctx.http.send("GET", url, headers={"Add-Padding": "true"})
        if answer.status != 200:
            raise Unavailable("The service that knows breached passwords did not answer.")
        return _listed(answer.body.split(b"\n"), digest[PREFIX:].encode())


class BreachFiles:
    """Look into a download of the list: one sorted file of `DIGEST:COUNT` lines, or a folder of `ABCDE.txt` files."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise ConfigurationError(
                f"Password(breached={str(path)!r}) is not there: give the sorted file or the folder of ranges."
            )

    async def contains(self, _ctx: Context, digest: str) -> bool:
        """Tell whether a password was breached; raise OSError."""
        if self.path.is_dir():
            return _listed(self._range(digest[:PREFIX]).split(b"\n"), digest[PREFIX:].encode())
        if self.path.stat().st_size == 0:
            raise OSError(f"{self.path} is empty")
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
            return _listed([_line_from(lines, digest.encode())], digest.encode())

    def _range(self, prefix: str) -> bytes:
        named = self.path / f"{prefix}.txt"
        return (named if named.exists() else self.path / prefix).read_bytes()


def source(given: Any) -> Breaches | None:
    """Answer what a setting asks for; raise ConfigurationError."""
    if isinstance(given, str | PathLike):
        return BreachFiles(given)
    if given is None or (isinstance(given, Breaches) and not isinstance(given, type)):
        return given
    raise ConfigurationError(
        "Password(breached=…) is a BreachService(), the path of a downloaded list, or an object with contains(…)."
    )


def digest_of(password: str) -> str:
    """Answer the digest by which breached passwords are listed; it protects nothing and is not stored."""
    # What callers hand over from bodies of their own may hold a lone surrogate: listed nowhere, no crash.
    return hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()


def _listed(lines: Iterable[bytes], wanted: bytes) -> bool:
    for line in lines:
        name, _, count = line.strip().partition(b":")
        if name.upper() == wanted:
            return count.strip(b"0 ") != b""
    return False


def _line_from(lines: mmap.mmap, wanted: bytes) -> bytes:
    """Answer the first line of a sorted file that is not below `wanted`, by halving."""
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        start = lines.rfind(b"\n", 0, middle) + 1
        if lines[start : start + _DIGITS].upper() < wanted:
            end = lines.find(b"\n", middle)
            low = len(lines) if end < 0 else end + 1
        else:
            high = start
    return lines[low : low + _DIGITS + 16].split(b"\n")[0]
