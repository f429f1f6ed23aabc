"""A small application in Litestar: authcore under /auth, a guarded route, and the demo's pages.

By itself, in `examples/`: `litestar --app litestar_app.app:app run`.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from demo import PAGES
from demo.mails import Mailbox
from demo.rooms import rooms
from litestar import Litestar, get
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.openapi import OpenAPIConfig
from litestar.response import File
from litestar.static_files import create_static_files_router

from authcore import Auth, Brand
from authcore_litestar import AuthCore, CurrentUser, require

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8000")
HOSTS = [f"{name}:{urlsplit(BASE_URL).port}" for name in ("127.0.0.1", "localhost")]

mailbox = Mailbox(os.environ.get("MAILBOX", "mails.jsonl"))
auth = Auth(
    dev_mode=True,
    base_url=BASE_URL,
    database=os.environ.get("DATABASE_URL", "sqlite:///litestar.db"),
    mailer=mailbox,
    sms=mailbox.texts,
    product="authcore demo",
    brand=Brand(color="#0f766e"),
    features=rooms(),
)


@get("/hello", guards=[require()])
async def hello(current_user: CurrentUser) -> dict[str, str | None]:
    """Greet those alone who are signed in."""
    return {"hello": current_user.email}


@get("/", include_in_schema=False)
async def index() -> File:
    """Answer the demo's page."""
    return File(PAGES / "index.html", content_disposition_type="inline", media_type="text/html")


@get("/mailbox", include_in_schema=False)
async def mailbox_page() -> File:
    """Answer the page that shows the mails."""
    return File(PAGES / "mailbox.html", content_disposition_type="inline", media_type="text/html")


@get("/mailbox/mails", sync_to_thread=True)
def mails() -> dict[str, Any]:
    """Answer the mails, the latest first."""
    return {"mails": mailbox.mails()}


app = Litestar(
    route_handlers=[hello, index, mailbox_page, mails, create_static_files_router("/static", [PAGES])],
    plugins=[AuthCore(auth)],
    allowed_hosts=AllowedHostsConfig(HOSTS),
    openapi_config=OpenAPIConfig(title="authcore demo", version="1"),
)
