"""authcore's routes, schemas and security schemes in the application's own document."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import OpenAPI
from litestar.params import BodyKwarg
from litestar.plugins import OpenAPISchemaPlugin
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from authcore import Auth, Session, User
from authcore.openapi import BEARER_SCHEME, COOKIE_SCHEME
from authcore_litestar.guards import dependencies, require

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

Document = dict[str, Any]
_REQUIRING = frozenset({"current_user", "current_session"}) & dependencies().keys()


class Named(OpenAPISchemaPlugin):
    """Name the public structs in answers of the application's own as authcore's document names them."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Tell whether a type is a public struct of authcore's."""
        return value is User or value is Session

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Any:
        """Answer a reference to the component, which stays empty here: authcore's document brings what it holds."""
        struct = field_definition.annotation
        name = BodyKwarg(schema_component_key=f"Authcore{struct.__name__}")
        named = FieldDefinition.from_kwarg(struct, name="", kwarg_definition=name)
        schema_creator.create_component_schema(named, required=[], property_fields={})
        return schema_creator.schema_registry.get_reference_for_field_definition(named)


class Guarded:
    """The application's operations that ask for a session: those with a guard, and those with `CurrentUser`."""

    def __init__(self) -> None:
        self._routes: list[HTTPRoute] = []

    def note(self, route: HTTPRoute) -> None:
        """Keep a route to look at once the document is made."""
        self._routes.append(route)

    def mark(self, document: Document) -> None:
        """Let either scheme open a guarded operation, unless the application says what opens it."""
        for route in self._routes:
            for handler in route.route_handlers:
                if _is_guarded(handler):
                    self._mark(document["paths"].get(route.path_format, {}), handler)

    def _mark(self, operations: Document, handler: HTTPRouteHandler) -> None:
        for method in handler.http_methods:
            if operation := operations.get(method.lower()):
                operation.setdefault("security", [{COOKIE_SCHEME: []}, {BEARER_SCHEME: []}])


def _is_guarded(handler: HTTPRouteHandler) -> bool:
    asked_for = _REQUIRING & handler.parsed_fn_signature.parameters.keys()
    return bool(asked_for) or any(isinstance(guard, type(require())) for guard in handler.resolve_guards())


def merged(config: OpenAPIConfig, auth: Auth, guarded: Guarded) -> OpenAPIConfig:
    """Answer the configuration, with a document that holds authcore's as well; Litestar's default one is shared."""
    own, config = config.to_openapi_schema, copy(config)

    def to_openapi_schema() -> OpenAPI:
        document = own()
        to_schema = document.to_schema
        document.to_schema = lambda: _merge(to_schema(), auth.openapi, guarded)  # type: ignore[method-assign]
        return document

    config.to_openapi_schema = to_openapi_schema  # type: ignore[method-assign]
    return config


def _merge(document: Document, core: Document, guarded: Guarded) -> Document:
    guarded.mark(document)
    document.setdefault("paths", {}).update(core["paths"])
    components = document.setdefault("components", {})
    for kind, named in core["components"].items():
        components[kind] = {**components.get(kind, {}), **named}
    return document
