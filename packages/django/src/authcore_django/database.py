"""The database port on Django's own connection.

authcore's writes take part in the application's transactions, and in `TestCase`'s roll-back: they go over the
connection that Django holds for the thread. SQLAlchemy writes the SQL; connecting, beginning, committing and closing
stay Django's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cached_property
from typing import Any, NoReturn, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import InterfaceError, OperationalError
from django.utils.connection import ConnectionDoesNotExist
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import OperationalError as ForeignError
from sqlalchemy.pool import NullPool

from authcore import ConfigurationError
from authcore.backends.database import BlockingDatabase, Told
from authcore.backends.failures import is_disconnected, is_schema_missing, raise_translated
from authcore.drive import run_blocking
from authcore.errors import Unavailable
from authcore.ports import FLEETING, Store

P = ParamSpec("P")
R = TypeVar("R")

_DIALECTS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}
_NO_SCHEMA = "The database lacks authcore's tables or has old ones: run `manage.py migrate authcore`."
_INSIDE = (
    "This counts attempts, and your transaction would forget the count when it rolls back: call it outside "
    "transaction.atomic(), in autocommit, or mark the view with @transaction.non_atomic_requests."
)


async def hop(function: Callable[[], Any]) -> Any:
    """Run a function in the thread whose connection the request, or the test, uses."""
    return await sync_to_async(function, thread_sensitive=True)()


class DjangoDatabase:
    """authcore's tables in one of settings.DATABASES."""

    def __init__(self, alias: str = "default") -> None:
        self.alias = alias
        if self.wrapper.vendor not in _DIALECTS:
            raise ConfigurationError(
                f"authcore speaks SQLite and PostgreSQL over Django's connection, and DATABASES[{alias!r}] is "
                f"{self.wrapper.display_name}: name another database_alias, or give AUTHCORE['database'] a URL."
            )
        self._joining = BlockingDatabase(_Side(self, durable=False))
        self._counting = BlockingDatabase(_Side(self, durable=True))

    @property
    def wrapper(self) -> BaseDatabaseWrapper:
        """Answer the thread's own connection, which need not be open."""
        try:
            return connections[self.alias]
        except ConnectionDoesNotExist:
            raise ConfigurationError(
                f"AUTHCORE['database_alias'] is {self.alias!r}, which settings.DATABASES does not have."
            ) from None

    def blocking(self) -> DjangoDatabase:
        """Answer the port itself."""
        return self

    def inline(self) -> None:
        """Answer None: a connection of the loop's own would not see the request's transaction."""

    async def read(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run reads, inside the application's transaction if there is one; raise Unavailable."""
        return await self._joining.read(store, *args, **kwargs)

    async def write(self, store: Store[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run as a part of the application's transaction, else in one of its own; raise Unavailable.

        What counts attempts is refused inside `transaction.atomic()`, whose roll-back would forget the count.
        """
        port = self._counting if getattr(store, "counting", False) else self._joining
        return await port.write(store, *args, **kwargs)

    def watch(self, told: Told) -> None:
        """Hand what ended to `told` once the transaction that ends it is committed."""

        async def later(ended: Sequence[Any]) -> None:
            self.after_commit(lambda: run_blocking(_told(told, ended)))

        self._joining.watch(later)
        self._counting.watch(later)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call once the application's transaction is committed, at once if there is none, or none that Django ends."""
        if _is_joined(self.wrapper) and not self.wrapper.in_atomic_block:
            callback()  # with autocommit off, Django refuses to wait for a commit of the application's own
        else:
            transaction.on_commit(callback, using=self.alias)

    def create_tables(self, metadata: MetaData) -> None:
        """Migrate, and make the tables that no migration of authcore's brings; closes the connection."""
        call_command("migrate", "authcore", database=self.alias, verbosity=0, interactive=False)
        _Side(self, durable=False).write(metadata.create_all)
        if not self.wrapper.in_atomic_block:
            self.wrapper.close()

    def release(self) -> None:
        """Close the connection of the calling thread, which serves no request."""
        self.wrapper.close()

    @cached_property
    def fleeting(self) -> Engine:
        """Answer the engine for transactions that need not outlast a power cut."""
        return self.engine.execution_options(**{FLEETING: True})

    @cached_property
    def engine(self) -> Engine:
        """Answer an engine that opens nothing: its connections are Django's, on loan."""
        url = _DIALECTS[self.wrapper.vendor]
        options = {"use_native_hstore": False} if url.startswith("postgresql") else {}
        return create_engine(
            url,
            creator=lambda: _Borrowed(self.wrapper.connection),
            poolclass=NullPool,
            pool_reset_on_return=None,
            hide_parameters=True,  # rule O3
            **options,
        )


class _Side:
    """What opens connections and transactions, Django's way."""

    def __init__(self, source: DjangoDatabase, *, durable: bool) -> None:
        self._source = source
        self._durable = durable

    def read(self, run: Callable[[Connection], R]) -> R:
        """Run on the connection as it is."""
        with self._translated() as wrapper:
            wrapper.ensure_connection()
            with self._source.engine.connect() as connection:
                return run(connection)

    def write(self, run: Callable[[Connection], R], *, fleeting: bool = False) -> R:
        """Run inside a transaction, or a savepoint of the one there is."""
        if fleeting and self._source.wrapper.vendor == "postgresql":
            with self._translated() as wrapper:
                wrapper.ensure_connection()  # which tells whether the project commits itself
                if not _is_joined(wrapper):
                    # In autocommit each statement is a transaction: none has to be begun and ended.
                    with self._source.fleeting.connect() as connection:
                        return run(connection)
        with self._translated() as wrapper, self._atomic(wrapper), self._source.engine.connect() as connection:
            return run(connection)

    write_apart = write

    def dispose(self) -> None:
        """Leave the connection open: it is Django's."""

    @contextmanager
    def _atomic(self, wrapper: BaseDatabaseWrapper) -> Iterator[None]:
        wrapper.ensure_connection()  # connecting sets the mode of transactions
        if self._durable and not wrapper.in_atomic_block and _is_joined(wrapper):
            raise RuntimeError(_INSIDE)
        mode = _immediate(wrapper) if wrapper.vendor == "sqlite" else nullcontext()
        with ExitStack() as stack:
            try:
                with mode:
                    stack.enter_context(transaction.atomic(using=self._source.alias, durable=self._durable))
            except RuntimeError as error:
                raise RuntimeError(_INSIDE) from error
            yield

    @contextmanager
    def _translated(self) -> Iterator[BaseDatabaseWrapper]:
        wrapper = self._source.wrapper
        joined = _is_joined(wrapper)
        wrapper.validate_no_broken_transaction()
        try:
            yield wrapper
        except (OperationalError, InterfaceError) as error:  # Django's own, as it connects, begins or commits
            self._raise(ForeignError(None, None, error.__cause__ or error), joined)
        except DBAPIError as error:
            if is_disconnected(error) and not joined:
                wrapper.close()  # Django has not seen it fail
            self._raise(error, joined)

    def _raise(self, error: DBAPIError, joined: bool) -> NoReturn:
        if is_schema_missing(error):
            raise Unavailable(_NO_SCHEMA) from error
        if joined:  # a transaction of the application's is not run again
            raise_translated(error)
        raise error


async def _told(told: Told, ended: Sequence[Any]) -> None:
    await told(ended)


def _is_joined(wrapper: BaseDatabaseWrapper) -> bool:
    # A transaction of the application's: of `atomic()`, or what comes before its own commit without autocommit.
    return wrapper.in_atomic_block or (wrapper.connection is not None and not wrapper.autocommit)


@contextmanager
def _immediate(wrapper: Any) -> Iterator[None]:
    # A plain BEGIN fails at once, whatever the timeout, when it turns to writing beside another writer.
    before, wrapper.transaction_mode = wrapper.transaction_mode, "IMMEDIATE"
    try:
        yield
    finally:
        wrapper.transaction_mode = before


class _Borrowed:
    """Django's DBAPI connection on loan: SQLAlchemy may run statements on it and change nothing about it.

    Among what its dialects set up are SQLite's REGEXP, which is Django's already, and a handler of PostgreSQL's notices
    a connection. `lent` is the connection itself, for statements that go past SQLAlchemy.
    """

    _IGNORED = frozenset({"commit", "rollback", "close", "create_function", "add_notice_handler"})

    def __init__(self, lent: Any) -> None:
        object.__setattr__(self, "lent", lent)

    def __getattr__(self, name: str) -> Any:
        return _nothing if name in self._IGNORED else getattr(self.lent, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Leave autocommit and the isolation level as they are."""


def _nothing(*_args: object, **_kwargs: object) -> None: ...
