"""A small application in Flask: authcore under /auth, a guarded route, and the demo's pages.

By itself, in `examples/`: `flask --app flask_app.app run`.
"""

import os

from demo import PAGES
from demo.mails import Mailbox
from demo.rooms import rooms
from flask import Flask
from flask.typing import ResponseReturnValue

from authcore import Auth, Brand
from authcore_flask import AuthCore, current_user, require

mailbox = Mailbox(os.environ.get("MAILBOX", "mails.jsonl"))
auth = Auth(
    dev_mode=True,
    base_url=os.environ.get("BASE_URL"),
    database=os.environ.get("DATABASE_URL", "sqlite:///flask.db"),
    mailer=mailbox,
    sms=mailbox.texts,
    product="authcore demo",
    brand=Brand(color="#0f766e"),
    features=rooms(),
)

app = Flask(__name__, static_folder=PAGES, static_url_path="/static")
app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
AuthCore(app, auth)


@app.get("/hello")
@require()
def hello() -> ResponseReturnValue:
    """Greet those alone who are signed in."""
    return {"hello": current_user.email}


@app.get("/")
def index() -> ResponseReturnValue:
    """Answer the demo's page."""
    return app.send_static_file("index.html")


@app.get("/mailbox")
def mailbox_page() -> ResponseReturnValue:
    """Answer the page that shows the mails."""
    return app.send_static_file("mailbox.html")


@app.get("/mailbox/mails")
def mails() -> ResponseReturnValue:
    """Answer the mails, the latest first."""
    return {"mails": mailbox.mails()}
