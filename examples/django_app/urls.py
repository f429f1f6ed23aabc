"""The addresses of the project and their views."""

from pathlib import Path

from demo import PAGES
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponseBase, JsonResponse
from django.urls import include, path, re_path
from django.views.static import serve

from authcore_django import require


@require()
def hello(request: HttpRequest) -> HttpResponseBase:
    """Greet those alone who are signed in."""
    return JsonResponse({"hello": request.authcore.user.email})


def page(request: HttpRequest, name: str) -> HttpResponseBase:
    """Answer one of the demo's pages."""
    return FileResponse(Path(PAGES, name).open("rb"))


def mails(request: HttpRequest) -> HttpResponseBase:
    """Answer the mails, the latest first."""
    return JsonResponse({"mails": settings.MAILBOX.mails()})


urlpatterns = [
    path("auth/", include("authcore_django.urls")),
    path("hello", hello),
    path("", page, {"name": "index.html"}),
    path("mailbox", page, {"name": "mailbox.html"}),
    path("mailbox/mails", mails),
    re_path(r"^static/(?P<path>.*)$", serve, {"document_root": PAGES}),
]
