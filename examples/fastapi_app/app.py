"""A small application in FastAPI: authcore under /auth, a guarded route, and the demo's pages.

By itself, in `examples/`: `uvicorn fastapi_app.app:app`.
"""

import os
from typing import Any

from demo import PAGES
from demo.mails import Mailbox
from demo.rooms import rooms
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

from authcore import Auth, Brand
from authcore_fastapi import AuthCore, CurrentUser

mailbox = Mailbox(os.environ.get("MAILBOX", "mails.jsonl"))
auth = Auth(
    dev_mode=True,
    base_url=os.environ.get("BASE_URL"),
    database=os.environ.get("DATABASE_URL", "sqlite:///fastapi.db"),
    mailer=mailbox,
    sms=mailbox.texts,
    product="authcore demo",
    brand=Brand(color="#0f766e"),
    features=rooms(),
)

app = FastAPI(title="authcore demo")
app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
AuthCore(app, auth)


@app.get("/hello")
async def hello(user: CurrentUser) -> dict[str, str | None]:
    """Greet those alone who are signed in."""
    return {"hello": user.email}


@app.get("/", include_in_schema=False)
async def index() -> FileResponse:
    """Answer the demo's page."""
    return FileResponse(PAGES / "index.html")


@app.get("/mailbox", include_in_schema=False)
async def mailbox_page() -> FileResponse:
    """Answer the page that shows the mails."""
    return FileResponse(PAGES / "mailbox.html")


@app.get("/mailbox/mails")
def mails() -> dict[str, Any]:
    """Answer the mails, the latest first."""
    return {"mails": mailbox.mails()}


app.mount("/static", StaticFiles(directory=PAGES))
