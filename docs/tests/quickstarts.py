"""The README's quickstarts as programs: the lines that a reader copies, and a walk through what they make."""

from __future__ import annotations

from pages import ROOT, blocks, section

README = (ROOT / "README.md").read_text(encoding="utf-8")
WALK = "from walkthrough import walk\n"
PROJECT = "INSTALLED_APPS, MIDDLEWARE, urlpatterns = [], [], []\n"  # what a Django project has of its own

FLASK = """
with app.test_client() as client:
    def ask(method, path, body, headers):
        answer = client.open(path, method=method, data=body, headers=headers)
        return answer.status_code, answer.get_json()
    walk(auth, ask)
"""
FASTAPI = """
from starlette.testclient import TestClient
with TestClient(app) as client:
    def ask(method, path, body, headers):
        answer = client.request(method, path, content=body, headers=headers)
        return answer.status_code, answer.json()
    walk(auth, ask)
"""
LITESTAR = """
from litestar.testing import TestClient
with TestClient(app, base_url="http://app.localhost") as client:
    def ask(method, path, body, headers):
        answer = client.request(method, path, content=body, headers=headers)
        return answer.status_code, answer.json()
    walk(auth, ask)
"""
DJANGO = """
import django
from django.conf import settings
settings.configure(**{name: value for name, value in globals().items() if name.isupper()}, ROOT_URLCONF="__main__",
                   ALLOWED_HOSTS=["testserver"], SECRET_KEY="only-for-this-test", USE_TZ=True)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
%s
from django.test import Client
from authcore_django import get_auth
client = Client()
def ask(method, path, body, headers):
    answer = client.generic(method, path, body or b"", headers=headers, content_type=headers.get("content-type", ""))
    return answer.status_code, answer.json()
walk(get_auth(), ask)
"""


def quickstart(framework: str) -> list[str]:
    """Answer the blocks of a framework's quickstart."""
    return blocks(section(README, f"### {framework}"))


def program(framework: str) -> str:
    """Answer the program of a framework: `walkthrough.py` must stand beside it."""
    if framework == "Django":
        settings, urls = quickstart("Django")
        return WALK + PROJECT + settings + DJANGO % urls
    ends = {"Flask": FLASK, "FastAPI": FASTAPI, "Litestar": LITESTAR}
    return WALK + quickstart(framework)[0] + ends[framework]
