"""WSGI (PEP 3333) in authcore's words: an environ becomes a Request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from authcore.http import BODY_CAP, BodyFault, Request

Environ = Mapping[str, Any]
_NAMES: dict[str, str] = {}
_MOST_NAMES = 256
_LENGTH = re.compile(r"[0-9]{1,18}\Z")


def path_of(environ: Environ) -> str:
    """Answer the decoded path below SCRIPT_NAME; what is no UTF-8 becomes U+FFFD."""
    # PEP 3333: the server has decoded %XX and hands the bytes over as latin-1.
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _named(key: str) -> str:
    """Answer a header's name, and keep it in mind: every request of a site has much the same ones."""
    name = key[5:].replace("_", "-").lower()
    if len(_NAMES) < _MOST_NAMES:  # strangers make up as many as they like
        _NAMES[key] = name
    return name


def headers_of(environ: Environ) -> dict[str, str]:
    """Answer the headers by lower-case name."""
    found = {
        _NAMES.get(key) or _named(key): value.strip(" \t") for key, value in environ.items() if key.startswith("HTTP_")
    }
    for key, name in (("CONTENT_TYPE", "content-type"), ("CONTENT_LENGTH", "content-length")):
        if value := environ.get(key):
            found[name] = value.strip(" \t")
    # wsgiref, and so Django's runserver, makes up text/plain where none was sent.
    bodiless = found.get("content-length", "0") == "0" and found.get("content-type") == "text/plain"
    if bodiless and environ.get("SERVER_SOFTWARE", "").startswith("WSGIServer/"):
        del found["content-type"]
    return found


def peer_of(environ: Environ) -> str | None:
    """Answer the peer's address; servers leave it empty on a Unix socket."""
    peer: str | None = environ.get("REMOTE_ADDR")
    return "unix" if peer == "" else peer


def request_of(environ: Environ, path: str, body: bytes = b"", fault: BodyFault | None = None) -> Request:
    """Answer the Request; `path` stands below the mount prefix."""
    return Request(environ["REQUEST_METHOD"], path, body, headers_of(environ), peer_of(environ), fault)


def read_body(environ: Environ, read: Callable[[int], bytes]) -> tuple[bytes, BodyFault | None]:
    """Answer the body, or why it could not be read whole.

    `read(size)` answers at most `size` bytes, and fewer only at the end, like `wsgi.input`. It is asked for no
    more than
    the cap and one byte, and never beyond the announced length, where a server without `wsgi.input_terminated`
    would wait.
    """
    announced = environ.get("CONTENT_LENGTH") or None
    if announced is None and not environ.get("wsgi.input_terminated"):
        return b"", None
    if announced is not None and not _LENGTH.match(announced):
        return b"", "broken"
    length = None if announced is None else int(announced)
    if length is not None and length > BODY_CAP:
        return b"", "too_large"
    try:
        body = read(BODY_CAP + 1 if length is None else length)
    except Exception:  # servers raise whatever they like while a body breaks off
        return b"", "broken"
    if len(body) > BODY_CAP:
        return b"", "too_large"
    return (b"", "broken") if length is not None and len(body) < length else (body, None)
