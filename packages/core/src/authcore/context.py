"""All that a flow may touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from authcore.http import Request
from authcore.ports import Clock, Database, Hasher, Hooks, Http, KeyValue, Limiter, Ports, Randomness
from authcore.values import Value

if TYPE_CHECKING:
    from authcore.feature import Feature
    from authcore.services.access import Revocations, StoredAccess
    from authcore.services.accounts import User, UserShape
    from authcore.services.events import Listeners
    from authcore.services.keys import KeyRing
    from authcore.services.limits import Limits
    from authcore.services.sessions import Session, Transport

S = TypeVar("S")


MAX_TENANT = 64  # characters, as its columns hold


class Tenant(Value, frozen=True):
    """Whose users these are. The id, at most 64 characters, is part of every identity, challenge, limit and session.

    `base_url` is the origin of the tenant's own site, the application's where it is None; `origins` are more that it
    sends from. `brand` goes to the templates of mails: its `product`, `color` (#rrggbb) and `logo_url` (https) stand in
    place of the application's.
    """

    id: str
    base_url: str | None = None
    origins: tuple[str, ...] = ()
    brand: Mapping[str, str] | None = None


def is_tenant_id(given: object) -> bool:
    """Tell whether a value may be a tenant's id: text of 1 to `MAX_TENANT` printable characters."""
    return isinstance(given, str) and 0 < len(given) <= MAX_TENANT and given.isprintable()


class Brand(Value, frozen=True):
    """How mails look: `color` (#rrggbb) of buttons and links, and a logo.

    `logo` is the path of a PNG, JPEG or GIF that travels inside the mail. `logo_url` is an https address instead:
    whoever serves it sees who opens a mail, and when.
    """

    color: str = "#1d4ed8"
    logo: str | PathLike[str] | None = None
    logo_url: str | None = None


DEFAULT_TENANT = Tenant("default")


class Authenticated(Value, frozen=True):
    """Who is asking: the user, the session, and the digest of the credential that showed it."""

    hidden: ClassVar = frozenset({"credential"})
    user: User
    session: Session
    credential: bytes


class AppSettings(Value, frozen=True):
    """What the whole application shares, validated."""

    hidden: ClassVar = frozenset({"keys"})
    base_url: str  # origin, no trailing slash
    prefix: str
    product: str
    keys: KeyRing
    cookie_name: str
    cookie_domain: str | None
    secure: bool
    dev_hosts: frozenset[str] | None  # None outside dev_mode
    dev_secrets_in_answers: bool
    origins: frozenset[str]
    trusted_proxies: tuple[str, ...]
    limits: Limits
    mail_from: str
    mail_templates: str | None
    mail_catalogues: str | None
    brand: Brand
    languages: tuple[str, ...]  # the first is used where none fits
    build_link: Callable[[str, str], str] | None
    tenant: Callable[[Request], Any] | None
    user: UserShape
    sign_up: Any  # "open", "closed" or a hook that is asked about each Candidate
    sign_in_page: str | None  # a path of the own site


class Runtime(Value, frozen=True):
    """An application bound to the ports of one drive."""

    app: AppSettings
    ports: Ports
    features: tuple[Feature, ...]
    settings: Mapping[type, Any]
    listeners: Listeners
    wake_sender: Callable[[], None]
    stored: Mapping[Transport, StoredAccess]
    revoked: Revocations


@dataclass(slots=True)
class Context:
    """One run of a flow: the ports, the settings, the request, the tenant and who is asking."""

    runtime: Runtime
    tenant: Tenant = DEFAULT_TENANT
    request: Request | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    who: Authenticated | None = None

    @property
    def memory(self) -> dict[str, Any]:
        """Answer what calls that are made for one request tell one another."""
        return {} if self.request is None else self.request.memory

    @property
    def app(self) -> AppSettings:
        """Answer the settings of the whole application."""
        return self.runtime.app

    @property
    def db(self) -> Database:
        """Answer the database."""
        return self.runtime.ports.db

    @property
    def kv(self) -> KeyValue:
        """Answer the key-value store."""
        return self.runtime.ports.kv

    @property
    def limiter(self) -> Limiter:
        """Answer the limiter."""
        return self.runtime.ports.limiter

    @property
    def hasher(self) -> Hasher:
        """Answer the password hasher."""
        return self.runtime.ports.hasher

    @property
    def http(self) -> Http:
        """Answer the client for other servers."""
        return self.runtime.ports.http

    @property
    def clock(self) -> Clock:
        """Answer the clock."""
        return self.runtime.ports.clock

    @property
    def random(self) -> Randomness:
        """Answer the source of randomness."""
        return self.runtime.ports.random

    @property
    def hooks(self) -> Hooks:
        """Answer the way to call the application's own functions."""
        return self.runtime.ports.hooks

    @property
    def base_url(self) -> str:
        """Answer the origin of the site that was asked: the tenant's own, or the application's."""
        return self.tenant.base_url or self.app.base_url

    @property
    def product(self) -> str:
        """Answer the name of the site that was asked: the tenant's own, or the application's."""
        return (self.tenant.brand or {}).get("product", self.app.product)

    def now(self) -> datetime:
        """Answer the time, aware, in UTC."""
        return self.runtime.ports.clock.now()

    def settings(self, kind: type[S]) -> S:
        """Answer a room's or a service's settings by their type."""
        return cast(S, self.runtime.settings[kind])
