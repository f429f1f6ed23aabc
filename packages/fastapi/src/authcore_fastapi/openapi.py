"""authcore's routes, schemas and security schemes in the application's own document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from authcore import Auth
from authcore.openapi import BEARER_SCHEME

Document = dict[str, Any]


def merge_into(app: FastAPI, auth: Auth) -> None:
    """Make the application's document hold authcore's as well."""
    own: Callable[[], Document] = app.openapi

    def merged() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _merge(own(), auth.openapi)
        return app.openapi_schema

    app.openapi = merged  # type: ignore[method-assign]


def _merge(document: Document, core: Document) -> Document:
    _unlock(document, list(core["components"]["securitySchemes"]))
    document.setdefault("paths", {}).update(core["paths"])
    components = document.setdefault("components", {})
    for kind, named in core["components"].items():
        components[kind] = {**components.get(kind, {}), **named}
    return document


def _unlock(document: Document, schemes: list[str]) -> None:
    """Let either scheme open a guarded route: the application's own document knows one alone."""
    for path in document.get("paths", {}).values():
        for operation in path.values():
            needed = operation.get("security", ())
            if any(BEARER_SCHEME in schemes_together for schemes_together in needed):
                # Two guards on one route name the scheme twice in an older FastAPI.
                ways = [*needed, *({scheme: []} for scheme in schemes)]
                operation["security"] = [way for at, way in enumerate(ways) if way not in ways[:at]]
