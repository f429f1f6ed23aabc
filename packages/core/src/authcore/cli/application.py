"""Which application a command is about, and how refusals read: one sentence on stderr, and a status other than 0."""

from __future__ import annotations

import copy
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from authcore.app import Auth
from authcore.errors import AuthError, ConfigurationError
from authcore.reports import sentence

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

VARIABLE = "AUTHCORE_APP"
_NAMED = "authcore.app"


class Misused(click.ClickException):
    """What was asked for cannot be meant; status 2, as click's own usage errors."""

    exit_code = 2


class Sentences(click.Group):
    """A group that says what authcore refuses, and keeps tracebacks for its own faults."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn authcore's errors into status 1."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from error
        except AuthError as error:
            raise click.ClickException(sentence(error)) from error


def bound(auth: Auth) -> click.Group:
    """Answer the group for one application: what an adapter adds to its framework's command line."""
    from authcore.cli import group

    mine = copy.copy(group)
    mine.context_settings = {**group.context_settings, "obj": auth}
    return mine


def app_option(command: F) -> F:
    """Let the application be named, before a command's name or after it."""
    option = click.option(
        "--app",
        metavar="MODULE:ATTRIBUTE",
        expose_value=False,
        callback=_remember,
        help=f"The application's Auth, or a function that answers it.  [env var: {VARIABLE}]",
    )
    return option(command)


def _remember(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_NAMED] = (value, "--app")


def with_auth(command: Callable[Concatenate[Auth, P], R]) -> Callable[P, R]:
    """Give a command the application as its first argument."""

    @wraps(command)
    def found(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(auth_of(click.get_current_context()), *args, **kwargs)

    return app_option(found)


def demand_database(auth: Auth) -> None:
    """Raise ConfigurationError if a SQLite file is not there: looking into it would leave an empty one behind."""
    source = _own_database(auth)
    if source is not None and source.dialect == "sqlite":
        source.apart(lambda tx: None, existing=True)


def _own_database(auth: Auth) -> Any:
    try:
        return auth.backends.migratable()
    except ConfigurationError:
        return None  # the framework's own


def auth_of(ctx: click.Context) -> Auth:
    """Answer the application: the one that --app names, that the framework has bound, or that AUTHCORE_APP names."""
    if _NAMED in ctx.meta:
        return _loaded(ctx, *ctx.meta[_NAMED])
    if (mounted := ctx.find_object(Auth)) is not None:
        return mounted
    if spec := os.environ.get(VARIABLE):
        return _loaded(ctx, spec, VARIABLE)
    raise Misused(f"Which application? Name its Auth, such as --app app:auth, or set {VARIABLE}=app:auth.")


def _loaded(ctx: click.Context, spec: str, source: str) -> Auth:
    auth = load(spec, source)
    ctx.call_on_close(auth.dispose)
    return auth


def load(spec: str, source: str) -> Auth:
    """Answer the Auth at `module:attribute`, as the working directory sees it."""
    module, _, path = spec.partition(":")
    if not path or not all(name.isidentifier() for name in module.split(".")):
        raise Misused(f"{source} is {spec!r}: write module:attribute, such as app:auth.")
    found = _import(module, source)
    for name in path.split("."):
        if not hasattr(found, name):
            raise Misused(f"{source} is {spec!r}: {module} has no {path}.")
        found = getattr(found, name)
    if _makes_something(found):
        found = _guarded(found, f"Calling {spec!r}")
    if inspect.iscoroutine(found):
        found.close()
    if not isinstance(found, Auth):
        raise Misused(f"{source} is {spec!r}, which is {_kind(found)}: name its Auth, or a function that answers it.")
    return found


def _makes_something(found: Any) -> bool:
    # An application of a framework is callable as well, by a server and with arguments.
    if isinstance(found, Auth) or not callable(found):
        return False
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):  # the latter of what is written in C
        return False
    return True


def _import(module: str, source: str) -> Any:
    if "" not in sys.path and (here := _here()) not in sys.path:
        sys.path.insert(0, here)
    return _guarded(lambda: _found(module, source), f"Importing {module!r}")


def _here() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise Misused(f"The working directory cannot be read ({error.strerror}): go to the application's.") from None


def _found(module: str, source: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # what the application imports is missing
        raise Misused(f"{source} names the module {module!r}, which is not found from {_here()}.") from None


def _guarded(run: Callable[[], R], doing: str) -> R:
    # The application's own start: a missing variable or setting is to read as a sentence here too.
    try:
        return run()
    except (ConfigurationError, click.ClickException):
        raise
    except (Exception, SystemExit) as error:
        what = _one_line(str(error)) or "without a word"
        raise click.ClickException(f"{doing} failed{_place(error)}: {type(error).__name__}: {what}") from error


def _one_line(text: str) -> str:
    # What an application's error holds is not ours: it starts no line and moves no cursor (rule O3).
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"]
    return f" at {os.path.relpath(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""


def _kind(thing: object) -> str:
    if inspect.isroutine(thing) or isinstance(thing, type):
        return f"a {'class' if isinstance(thing, type) else 'function'} with arguments"
    name = type(thing).__name__
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"
