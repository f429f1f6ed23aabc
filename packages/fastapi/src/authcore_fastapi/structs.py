"""authcore's structs as bodies and answers of an application's own routes."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi.encoders import encoders_by_class_tuples
from pydantic_core import CoreSchema, core_schema

from authcore import Session, User

PUBLIC: tuple[type[msgspec.Struct], ...] = (User, Session)


def speak_pydantic() -> None:
    """Teach the public structs the two methods that pydantic asks a foreign type for; subclasses inherit them."""
    for struct in PUBLIC:
        setattr(struct, "__get_pydantic_core_schema__", classmethod(_core_schema))  # noqa: B010
        setattr(struct, "__get_pydantic_json_schema__", classmethod(_json_schema))  # noqa: B010
    encoders_by_class_tuples[msgspec.to_builtins] = PUBLIC  # where a route declares no answer


def _core_schema(struct: type[msgspec.Struct], _source: Any, _handler: Any) -> CoreSchema:
    # msgspec 0.22 shows a type to other threads before it has read the whole of it, and the process ends: read it here.
    msgspec.json.Decoder(struct)

    def parse(value: Any) -> msgspec.Struct:
        if type(value) is struct:
            return value
        try:
            return msgspec.convert(_declared(value, struct), struct, from_attributes=True)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None

    return core_schema.no_info_plain_validator_function(
        parse,
        # The reference names the component as the core's own document does.
        ref=f"authcore.Authcore{struct.__name__}:{id(struct)}",
        serialization=core_schema.plain_serializer_function_ser_schema(msgspec.to_builtins),
    )


def _declared(value: Any, struct: type[msgspec.Struct]) -> Any:
    # A subclass with fields of its own answers only the declared ones, and of those what is set.
    if not isinstance(value, struct):
        return value
    names = zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True)
    return {encoded: held for encoded, name in names if (held := getattr(value, name)) is not msgspec.UNSET}


def _json_schema(struct: type[msgspec.Struct], _schema: Any, _handler: Any) -> dict[str, Any]:
    _, components = msgspec.json.schema_components((struct,))
    schema: dict[str, Any] = components[struct.__name__]
    return schema
