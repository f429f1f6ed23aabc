"""The project's one `Auth`, from `settings.AUTHCORE`: the keywords of `Auth`, and `database_alias`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from authcore import Auth, ConfigurationError
from authcore.backends import fork
from authcore_django import signals
from authcore_django.database import DjangoDatabase, hop
from authcore_django.outbox import DjangoOutbox

_KEYWORDS = (*inspect.signature(Auth).parameters, "database_alias")
_BY_PATH = (  # what a settings file can only name, as "package.module.name"
    "build_link",
    "clock",
    "key_value",
    "limiter",
    "mailer",
    "random",
    "sign_up",
    "sms",
    "tenant",
    "user",
)
_mutex = fork.Mutex()
_auth: Auth | None = None


def get_auth() -> Auth:
    """Answer the `Auth` of this project, built at its first use; raise ConfigurationError."""
    return _auth or _built()


def _built() -> Auth:
    global _auth
    with _mutex:
        if _auth is None:
            _auth = build(getattr(settings, "AUTHCORE", None))
        return _auth


def build(given: Any) -> Auth:
    """Answer an `Auth` for the settings; raise ConfigurationError, saying what to write instead."""
    known = _checked(given)
    alias = known.pop("database_alias", "default")
    known["features"] = [_feature(entry) for entry in known.get("features", ())]
    for name in _BY_PATH:
        if isinstance(known.get(name), str) and "." in known[name]:
            known[name] = _named(known[name])
    # Django's test runner has put a mailbox in place: a sender's thread sees no row of a TestCase, and holds its
    # database open.
    known.setdefault("outbox", "external" if hasattr(mail, "outbox") else "thread")
    auth = Auth(**known) if known.get("database") is not None else on_django(partial(Auth, **known), alias)
    signals.send_from(auth)
    return auth


def on_django(declare: Callable[..., Auth], alias: str) -> Auth:
    """Answer what `declare` makes, over one of settings.DATABASES."""
    source = DjangoDatabase(alias)
    auth = declare(database=source)
    auth.outbox = DjangoOutbox(auth, source)
    # Another thread sees neither the transaction of a request nor the rows of a test.
    auth.backends.flow_hop = auth.backends.guard_hop = hop
    return auth


def _checked(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(
            f"settings.AUTHCORE is a dict of what Auth(…) takes, not {type(given).__name__}: "
            "write AUTHCORE = {'features': ['authcore.Password'], …}."
        )
    if given is None:
        raise ConfigurationError(
            "settings.AUTHCORE is missing: write AUTHCORE = {'features': ['authcore.Password'], 'secret': …, …}."
        )
    for name in given:
        if name not in _KEYWORDS:
            near = difflib.get_close_matches(str(name), _KEYWORDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(_KEYWORDS)}."
            raise ConfigurationError(f"AUTHCORE has no setting {name!r}: {hint}")
    return dict(given)


def _feature(entry: Any) -> Any:
    """Answer a room: an instance as it is, "path.of.Room", or ("path.of.Room", {its options})."""
    if not isinstance(entry, str | list | tuple):
        return entry
    given: list[Any] = [entry, {}] if isinstance(entry, str) else [*entry, None, None]
    path, options = given[:2]
    try:
        return _named(path)(**options)
    except TypeError as error:
        raise ConfigurationError(
            f"AUTHCORE['features'] holds {entry!r} ({error}): "
            "write 'path.of.Room', or ('path.of.Room', {its options})."
        ) from None


def _named(path: str) -> Callable[..., Any]:
    try:
        found: Callable[..., Any] = import_string(path)
    except ImportError as error:
        raise ConfigurationError(f"AUTHCORE names {path!r}, which cannot be imported: {error}.") from None
    return found


def watch() -> None:
    """Build anew when a test overrides the settings."""
    setting_changed.connect(_changed, dispatch_uid="authcore")


def _changed(*, setting: str, **_signal: Any) -> None:
    if setting == "AUTHCORE":
        use(None)


def use(auth: Auth | None) -> None:
    """Put an `Auth` in the place of the project's, which is closed; None builds from the settings at the next use."""
    global _auth
    stale, _auth = _auth, auth
    if stale is not None:
        stale.dispose()
