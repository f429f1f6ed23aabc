"""Fields whose columns are exactly those of authcore's own tables."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class KeyField(models.CharField):  # type: ignore[type-arg]
    """A text that is looked up whole."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Answer the column's type, under a name for which Django makes no second index that serves LIKE."""
        return (
            f"character varying({self.max_length})"
            if connection.vendor == "postgresql"
            else f"varchar({self.max_length})"
        )


class Index(models.Index):
    """An index under the name that authcore's own tables give it, which may be longer than Django's portable 30."""

    max_name_length = 63

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        """Answer how a migration writes it."""
        _, expressions, kwargs = super().deconstruct()
        return "authcore_django.fields.Index", expressions, kwargs
