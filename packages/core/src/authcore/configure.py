"""Turn the keywords of `Auth` into validated settings, or refuse with a sentence that says what to write (rule O1)."""

from __future__ import annotations

import inspect
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authcore.context import AppSettings, Runtime
from authcore.errors import ConfigurationError
from authcore.feature import Feature, sender_address
from authcore.features.administration import Administration
from authcore.features.meta import Meta
from authcore.features.sessions import Sessions
from authcore.ports import Ports
from authcore.services import brands, languages, limits, links, named_guards, strategies
from authcore.services.events import Listeners
from authcore.services.keys import KeyRing
from authcore.services.named_guards import Guards, GuardSettings
from authcore.services.origin import LOOPBACK
from authcore.services.own_paths import is_own_path
from authcore.services.user_fields import shape_of

if TYPE_CHECKING:
    from authcore.backends.build import Plan
    from authcore.services.access import Revocations, StoredAccess
    from authcore.services.sessions import SessionSettings, Transport

MIN_SECRET = 32  # characters
DEV_BASE_URL = "http://127.0.0.1:8000"
DEV_DATABASE = "sqlite:///authcore.db"
DEV_SECRET_FILE = ".authcore-dev-secret"  # noqa: S105 - a file's name
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+\Z")
_COOKIE = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MESSAGES = {"mailer": "mail", "sms": "sms"}
_KEY_VALUE = ("get", "put", "take", "compare_and_swap", "increment", "delete")


@dataclass(frozen=True, slots=True)
class Declaration:
    """Everything that `Auth` was told, validated; nothing in it has touched the network or a database."""

    app: AppSettings
    features: tuple[Feature, ...]
    mailer: Any
    sms: Any
    outbox: str
    async_drive: str
    dev_mode: bool
    backend: Mapping[str, Any]
    guards: GuardSettings

    def plan(self) -> Plan:
        """Answer what the backends are made from."""
        from authcore.backends.build import Plan

        return Plan(**self.backend)

    @property
    def sessions(self) -> SessionSettings:
        """Answer how sessions live and travel."""
        found: SessionSettings = next(f.settings for f in self.features if isinstance(f, Sessions))
        return found

    def runtime(
        self,
        ports: Ports,
        listeners: Listeners,
        wake: Callable[[], None],
        stored: Mapping[Transport, StoredAccess],
        revoked: Revocations,
        auth: object,
    ) -> Runtime:
        """Bind the settings to ports; factories of the application are handed `auth`."""
        values = [value for f in self.features for value in (f.settings, *f.shares) if value is not None]
        settings = {type(value): value for value in (*values, Guards(self.guards, auth))}
        return Runtime(self.app, ports, self.features, settings, listeners, wake, stored, revoked)


def configure(**given: Any) -> Declaration:
    """Validate every keyword of `Auth`."""
    dev = _flag("dev_mode", given["dev_mode"])
    base_url = _base_url(given["base_url"], dev)
    catalogues = languages.catalogues(given["mail_catalogues"])
    app = AppSettings(
        base_url=base_url,
        prefix=_prefix(given["prefix"]),
        product=_product(given["product"], base_url),
        keys=KeyRing(_secrets(given["secret"], dev)),
        cookie_name=_cookie_name(given["cookie_name"]),
        cookie_domain=_cookie_domain(given["cookie_domain"], base_url),
        secure=not dev,
        dev_hosts=_dev_hosts(given["dev_hosts"], dev),
        dev_secrets_in_answers=_dev_secrets(given["dev_secrets_in_answers"], dev),
        origins=frozenset([base_url, *_origins(given["trusted_origins"], dev)]),
        trusted_proxies=_proxies(given["trusted_proxies"]),
        limits=limits.settled(given["limits"]),
        mail_from=_mail_from(given["mail_from"], base_url),
        mail_templates=_templates(given["mail_templates"]),
        mail_catalogues=catalogues,
        brand=brands.setting(given["brand"]),
        languages=languages.setting(given["languages"], catalogues),
        build_link=links.setting(given["build_link"]),
        tenant=_hook("tenant", given["tenant"]),
        user=shape_of(given["user"]),
        sign_up=_sign_up(given["sign_up"]),
        sign_in_page=_sign_in_page(given["sign_in_page"]),
    )
    features = _features(given["features"])
    drive = _choice("async_drive", given["async_drive"], ("threads", "asyncio"))
    sessions = next(feature.settings for feature in features if isinstance(feature, Sessions))
    strategies.check_drive((sessions.cookie, sessions.bearer), drive)
    if given["sms"] is None and not dev:
        _refuse_sms(features)
    return Declaration(
        app=app,
        features=features,
        mailer=_mailer(given["mailer"], dev),
        sms=_sms(given["sms"], dev),
        outbox=_choice("outbox", given["outbox"], ("thread", "external")),
        async_drive=drive,
        dev_mode=dev,
        backend=_backend(given, dev),
        guards=_guards(given, sessions.transport),
    )


def _guards(given: Mapping[str, Any], offered: Transport) -> GuardSettings:
    return named_guards.settled(
        given["guards"], given["default_guard"], given["providers"], given["default_provider"], offered
    )


def _sign_in_page(given: Any) -> str | None:
    # R8: whoever is sent there must end on the own site.
    if given is not None and not is_own_path(given):
        raise ConfigurationError(
            f"Auth(sign_in_page={given!r}): write a path of the own site, such as '/sign-in', without its host."
        )
    return None if given is None else str(given)


def _backend(given: Mapping[str, Any], dev: bool) -> dict[str, Any]:
    from authcore.backends.system import SystemClock, SystemRandom

    return {
        "database": _database(given["database"], dev, given["async_drive"]),
        "key_value": _key_value(given["key_value"]),
        "limiter": _port("limiter", given["limiter"], ("hit", "clear")),
        "stream": _stream(given["stream"]),
        "hashing": _hashing(given["hashing"], given["pepper"], dev),
        "clock": _port("clock", given["clock"], ("now",)) or SystemClock(),
        "random": _port("random", given["random"], ("bytes",)) or SystemRandom(),
        "create_missing": dev,
    }


def _database(given: Any, dev: bool, drive: object) -> Any:
    from sqlalchemy.engine import URL

    from authcore.backends.engines import check_driver, check_folder, parse_url

    database = DEV_DATABASE if given is None and dev else given
    if database is None:
        raise ConfigurationError("Auth(database=…) is missing: give a URL such as 'postgresql://user@host/name'.")
    if not isinstance(database, str | URL):
        return _engine(database)
    url = check_folder(check_driver(parse_url(database)))
    if drive == "asyncio" and url.get_backend_name() == "sqlite":
        raise ConfigurationError(
            "Auth(async_drive='asyncio') needs a database with a driver for asyncio, which SQLite has not: "
            "leave async_drive out."
        )
    return database


def _engine(given: Any) -> Any:
    from authcore.backends.engines import check_store

    # An Engine, an AsyncEngine, or a source of an adapter's own; asking for their types would load asyncio's.
    if isinstance(given, type) or not (hasattr(given, "dialect") or hasattr(given, "create_tables")):
        raise ConfigurationError("Auth(database=…) is a URL, such as 'sqlite:///app.db', or an engine of SQLAlchemy.")
    if hasattr(given, "url"):
        check_store(given.url)
    return given


def _key_value(given: Any) -> Any:
    if isinstance(given, str):
        return _choice("key_value", given, ("sql", "memory"))
    if given is None or _port("key_value", given, _KEY_VALUE) is None:
        raise ConfigurationError("Auth(key_value=…) is 'sql', 'memory', or an object with the methods of KeyValue.")
    return given


def _stream(given: Any) -> Any:
    if isinstance(given, str):
        return _choice("stream", given, ("auto", "off"))
    if given is None or _port("stream", given, ("open", "ring")) is None:
        raise ConfigurationError("Auth(stream=…) is 'auto', 'off', or a RedisStream of authcore.backends.streams.")
    return given


def _port(name: str, given: Any, methods: Sequence[str]) -> Any:
    if given is not None and (
        isinstance(given, type) or not all(callable(getattr(given, method, None)) for method in methods)
    ):
        listed = ", ".join(f"{method}(…)" for method in methods)
        raise ConfigurationError(f"Auth({name}=…) is an object with {listed}, not {_kind(given)}.")
    return given


def _hashing(given: Any, pepper: Any, dev: bool) -> Any:
    from authcore.backends.hashing.choice import checked

    return replace(checked(given, dev=dev), peppers=tuple(_strong("pepper", pepper)))


def _features(given: Any) -> tuple[Feature, ...]:
    if isinstance(given, str | Feature) or not isinstance(given, Iterable):
        raise ConfigurationError(f"Auth(features=…) is a list, such as [Password()], not {_kind(given)}.")
    features = tuple(given)
    for feature in features:
        if not isinstance(feature, Feature):
            raise ConfigurationError(f"Auth(features=[…]) holds {feature!r}: write an instance, such as Password().")
        if not isinstance(getattr(feature, "name", None), str):
            raise ConfigurationError(f"{type(feature).__name__} has no `name`: give the room one, such as 'password'.")
    for always in (Sessions, Administration, Meta):
        if not any(isinstance(feature, always) for feature in features):
            features += (always(),)
    _once("holds {} twice", (repr(feature.name) for feature in features))
    _required(features)
    # Two rooms of one path would answer by chance; two steps of one kind would pass for each other (rule A1).
    _once(
        "has two rooms that answer {}", (f"{r.method} {r.path}" for f in features for r in f.routes if not r.fallback)
    )
    _once("has two rooms with the sign-in step {}", (repr(step.kind) for f in features for step in f.steps))
    return features


def _required(features: Sequence[Feature]) -> None:
    present = {feature.name for feature in features}
    for feature in features:
        for name in feature.requires:
            if name not in present:
                raise ConfigurationError(
                    f"{type(feature).__name__} needs the room {name!r}: write it beside it in Auth(features=[…])."
                )


def _once(sentence: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"Auth(features=[…]) {sentence.format(name)}: keep one.")
        seen.add(name)


def _secrets(given: Any, dev: bool) -> list[str] | Callable[[], list[str]]:
    if given is None:
        if not dev:
            raise ConfigurationError(
                "Auth(secret=…) is missing: make one with `authcore secret`, keep it out of the repository, "
                "and pass it from the environment, such as secret=os.environ['AUTHCORE_SECRET']."
            )
        # Made at the first use: a declaration at module level does no I/O.
        file = Path(DEV_SECRET_FILE).absolute()
        return lambda: [_dev_secret(file)]
    return _strong("secret", given)


def _strong(name: str, given: Any) -> list[str]:
    """Answer secrets of an application, the newest first; None is none."""
    if given is None:
        return []
    if not isinstance(given, str | list | tuple):
        raise ConfigurationError(f"Auth({name}=…) is text, or a list with the newest first, not {_kind(given)}.")
    found = [given] if isinstance(given, str) else list(given)
    if not found:
        raise ConfigurationError(f"Auth({name}=[…]) is empty: give at least one {name}, the newest first.")
    for secret in found:
        if not isinstance(secret, str) or len(secret) < MIN_SECRET:
            raise ConfigurationError(
                f"Auth({name}=…) is text of at least {MIN_SECRET} characters: `authcore secret` makes one."
            )
        if not _encodable(secret):
            raise ConfigurationError(f"Auth({name}=…) is no Unicode text: `authcore secret` makes one.")
        if len(set(secret)) < 10:
            raise ConfigurationError(f"Auth({name}=…) repeats a few characters: `authcore secret` makes a random one.")
    return found


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dev_secret(path: Path) -> str:
    """Answer the development secret, made once and kept, readable by its owner alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept_secret(path)
    except OSError as error:
        raise _not_kept(path, error) from None
    made = secrets.token_urlsafe(32)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(made)
    except OSError as error:
        # Half a secret would be read by the next process, or keep it from making a whole one.
        path.unlink(missing_ok=True)
        raise _not_kept(path, error) from None
    return made


def _not_kept(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"The development secret cannot be kept in {path}: {error.strerror}. Pass secret=….")


def _kept_secret(path: Path) -> str:
    # A process that starts beside this one may be between making the file and writing it.
    for _ in range(200):
        try:
            with path.open() as file:
                _check_own(path, os.fstat(file.fileno()).st_mode)
                kept = file.read().strip()
        except (OSError, UnicodeDecodeError):
            break
        if len(kept) >= MIN_SECRET:
            return kept
        _pause()
    raise ConfigurationError(f"{path} holds no secret: delete it, and another is made.")


def _check_own(path: Path, mode: int) -> None:
    # Who can read the secret can sign whatever authcore believes; who can write it has chosen it. Windows has no modes.
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
        raise ConfigurationError(
            f"{path} may be read or written by others (mode {stat.S_IMODE(mode):o}): "
            "delete it, and another is made that is yours alone."
        )


def _pause() -> None:
    import select

    select.select([], [], [], 0.01)


def _base_url(given: object, dev: bool) -> str:
    if given is None:
        if dev:
            return DEV_BASE_URL
        raise ConfigurationError(
            "Auth(base_url=…) is missing: give the site's https origin, such as 'https://example.com'."
        )
    return _origin(given, dev, name="base_url")


def _origins(given: object, dev: bool) -> list[str]:
    return [_origin(entry, dev) for entry in _texts("trusted_origins", given, "'https://app.example.com'")]


def _origin(given: object, dev: bool, name: str = "trusted_origins") -> str:
    found = _scheme_host_port(given) if isinstance(given, str) else None
    if found is None:
        raise ConfigurationError(
            f"Auth({name}=…) holds {given!r}: write scheme and host alone, such as 'https://example.com'."
        )
    scheme, host, port = found
    wanted = "http" if dev else "https"
    if scheme != wanted:
        why = "in dev_mode cookies are not Secure, so" if dev else "outside dev_mode"
        raise ConfigurationError(f"Auth({name}=…) holds {given!r}: {why} it must begin with {wanted}://.")
    # Browsers leave the default port out of `Origin` (RFC 6454 6.2).
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _scheme_host_port(text: str) -> tuple[str, str, int | None] | None:
    if not text.isascii() or not text.isprintable() or set(text) & set(" \\@?#"):
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.path not in ("", "/") or not (_DOMAIN.match(host) or _is_ip(host)):
        return None
    return parts.scheme, f"[{host}]" if ":" in host else host, port


def _is_ip(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return "/" not in text


def _dev_hosts(given: object, dev: bool) -> frozenset[str] | None:
    names = _hosts(given)
    if names and not dev:
        raise ConfigurationError(
            "Auth(dev_hosts=…) is for dev_mode: elsewhere every host is answered, so leave it out, "
            "and let the server in front refuse unknown hosts."
        )
    return LOOPBACK | names if dev else None


def _dev_secrets(given: object, dev: bool) -> bool:
    if _flag("dev_secrets_in_answers", given) and not dev:
        raise ConfigurationError(
            "Auth(dev_secrets_in_answers=True) is for dev_mode: elsewhere anybody could answer for any mailbox (S78), "
            "so leave it out."
        )
    return bool(given)


def _hosts(given: object) -> frozenset[str]:
    names = [entry.lower() for entry in _texts("dev_hosts", given, "'my-machine.local'")]
    for name in names:
        if not (_DOMAIN.match(name) or _is_ip(name)):
            raise ConfigurationError(
                f"Auth(dev_hosts=…) holds {name!r}: write the host alone, without scheme and port."
            )
    return frozenset(names)


def _prefix(given: object) -> str:
    if not isinstance(given, str) or not _PREFIX.match(given):
        raise ConfigurationError(f"Auth(prefix={given!r}) must look like '/auth': a leading slash, no trailing one.")
    return given


def _cookie_name(given: object) -> str:
    if not isinstance(given, str) or not _COOKIE.match(given):
        raise ConfigurationError(f"Auth(cookie_name={given!r}) may hold letters, digits, '-' and '_', at most 40.")
    if given.lower().startswith(("__host-", "__secure-")):
        raise ConfigurationError("Auth(cookie_name=…) is the stem alone: authcore puts __Host- before it.")
    return given


def _product(given: object, base_url: str) -> str:
    if given is not None:
        return _text("product", given)
    host = urlsplit(base_url).hostname or ""
    return "localhost" if host in LOOPBACK else host


def _cookie_domain(given: object, base_url: str) -> str | None:
    if given is not None and (not isinstance(given, str) or not _DOMAIN.match(given)):
        raise ConfigurationError(f"Auth(cookie_domain={given!r}) is a domain without a leading dot: 'example.com'.")
    host = urlsplit(base_url).hostname or ""
    if given is not None and given != host and not (host.endswith(f".{given}") and "." in given):
        raise ConfigurationError(
            f"Auth(cookie_domain={given!r}) is neither base_url's host {host!r} nor a domain above it, "
            "so browsers would drop the cookies: write one of those, or leave it out."
        )
    return given


def _proxies(given: object) -> tuple[str, ...]:
    entries = _texts("trusted_proxies", given, "'10.0.0.0/8'")
    for entry in entries:
        try:
            entry == "unix" or ip_network(entry, strict=False)
        except ValueError:
            raise ConfigurationError(
                f"Auth(trusted_proxies=…) holds {entry!r}: write addresses or networks, like '10.0.0.0/8', or 'unix'."
            ) from None
    return entries


def _mail_from(given: object, base_url: str) -> str:
    return sender_address("Auth", f"no-reply@{urlsplit(base_url).hostname}" if given is None else given)


def _templates(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike) or str(given) == "" or "\0" in str(given) or not Path(given).is_dir():
        raise ConfigurationError(
            f"Auth(mail_templates={given!r}) is no folder: give one that holds templates to override."
        )
    return str(given)


def _mailer(given: Any, dev: bool) -> Any:
    from authcore.backends.mail import CallableMailer, ConsoleMailer

    if (isinstance(given, str) and given == "console") or (given is None and dev):
        if not dev:
            raise ConfigurationError(
                "Auth(mailer='console') is for dev_mode: give an SmtpMailer, or a function that sends."
            )
        return ConsoleMailer()
    if given is None:
        raise ConfigurationError(
            "Auth(mailer=…) is missing: give an SmtpMailer(host=…), or a function that sends a mail."
        )
    if isinstance(given, type):
        raise ConfigurationError(f"Auth(mailer=…) is the class {given.__name__}: write an instance of it.")
    if callable(getattr(given, "send", None)):
        _check_takes_one("mailer", given.send, "its send")
        return given
    if callable(given):
        _check_takes_one("mailer", given, "it")
        return CallableMailer(given)
    raise ConfigurationError(
        f"Auth(mailer=…) is {_kind(given)}, without send(mail): give an SmtpMailer, or a function that sends a mail."
    )


def _sms(given: Any, dev: bool) -> Any:
    from authcore.backends.sms import CallableSms, ConsoleSms

    if (isinstance(given, str) and given == "console") or (given is None and dev):
        if not dev:
            raise ConfigurationError("Auth(sms='console') is for dev_mode: give a function that sends a text message.")
        return ConsoleSms()
    if given is None:
        return None
    if isinstance(given, type):
        raise ConfigurationError(f"Auth(sms=…) is the class {given.__name__}: write an instance of it.")
    if callable(getattr(given, "send", None)):
        _check_takes_one("sms", given.send, "its send")
        return given
    if callable(given):
        _check_takes_one("sms", given, "it")
        return CallableSms(given)
    raise ConfigurationError(
        f"Auth(sms=…) is {_kind(given)}, without send(sms): give an object that has it, or a function of one message."
    )


def _refuse_sms(features: Sequence[Feature]) -> None:
    for feature in features:
        if feature.sms:
            raise ConfigurationError(
                f"{type(feature).__name__} sends text messages, and nothing hands them over: "
                "give Auth(sms=…) an object with send(sms), or a function of one message."
            )


def _check_takes_one(setting: str, send: Callable[..., Any], what: str) -> None:
    try:
        signature = inspect.signature(send)
    except (TypeError, ValueError):  # of what is written in C
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise ConfigurationError(
            f"Auth({setting}=…): {what} cannot be called with one {_MESSAGES[setting]} ({error}): "
            f"write a function such as send({_MESSAGES[setting]})."
        ) from None


def _hook(name: str, given: Any) -> Any:
    if given is not None and not callable(given):
        raise ConfigurationError(f"Auth({name}=…) is a function of the request, not {_kind(given)}.")
    return given


def _sign_up(given: Any) -> Any:
    if callable(given) and not isinstance(given, type):
        return given
    if given not in ("open", "closed"):
        raise ConfigurationError("Auth(sign_up=…) is 'open', 'closed', or a function that is asked about a Candidate.")
    return given


def _flag(name: str, given: object) -> bool:
    # Text from an environment is not converted: every text but "" would be true, "false" as well.
    if not isinstance(given, bool):
        raise ConfigurationError(f"Auth({name}=…) is True or False, not {_kind(given)}.")
    return given


def _texts(name: str, given: object, example: str) -> tuple[str, ...]:
    entries = tuple(given) if isinstance(given, list | tuple | set | frozenset) else None
    if entries is None or not all(isinstance(entry, str) for entry in entries):
        raise ConfigurationError(f"Auth({name}=…) is a list of texts, such as [{example}].")
    return entries


def _kind(given: object) -> str:
    """Answer what a value is, without the value: it may be a secret."""
    return given.__name__ if isinstance(given, type) else f"of type {type(given).__name__}"


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        raise ConfigurationError(f"Auth({name}=…) is a printable text, such as 'Example'.")
    return given


def _choice(name: str, given: Any, choices: tuple[str, ...]) -> str:
    if not isinstance(given, str) or given not in choices:
        raise ConfigurationError(f"Auth({name}={given!r}) is one of {' and '.join(map(repr, choices))}.")
    return str(given)
