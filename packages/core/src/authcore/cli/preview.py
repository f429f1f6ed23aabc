"""The pages of `authcore mails preview`: an index, and for each mail its parts, on loopback alone."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from authcore.context import Runtime
from authcore.ports import Mail
from authcore.services import samples
from authcore.services.origin import LOOPBACK

PARTS = ("html", "text", "source")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; frame-src 'self'"
_HTML, _TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
Page = tuple[int, str, str]  # status, content type, text


class Preview:
    """Every mail of the enabled rooms with made-up data; templates are read again once they are changed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._languages = runtime.app.languages
        self._mails = {template.kind: template for feature in runtime.features for template in feature.mails}
        self._texts = {template.kind: template for feature in runtime.features for template in feature.sms}

    def page(self, path: str) -> Page:
        """Answer what stands at a path."""
        match [part for part in path.split("/") if part]:
            case []:
                return 200, _HTML, self._render("index.html")
            case ["mail", kind, language] if kind in self._mails and language in self._languages:
                mail = samples.mail(self._runtime, self._mails[kind], language)
                return 200, _HTML, self._render("mail.html", mail=mail, language=language, parts=PARTS)
            case ["mail", kind, language, part] if kind in self._mails and language in self._languages:
                return _part(samples.mail(self._runtime, self._mails[kind], language), part)
            case ["sms", kind, language] if kind in self._texts and language in self._languages:
                return 200, _TEXT, samples.sms(self._runtime, self._texts[kind], language).text
            case _:
                return _nothing()

    def _render(self, name: str, **names: Any) -> str:
        page: str = self._pages.get_template(name).render(
            mails=self._mails, texts=self._texts, languages=self._languages, **names
        )
        return page

    @cached_property
    def _pages(self) -> Any:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        loader = FileSystemLoader(Path(__file__).parent / "templates")
        return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def _part(mail: Mail, part: str) -> Page:
    html = mail.html
    for picture in mail.inline:
        data = b64encode(picture.data).decode()
        html = html.replace(f"cid:{picture.cid}", f"data:{picture.content_type};base64,{data}")
    found = {"html": (200, _HTML, html), "text": (200, _TEXT, mail.text), "source": (200, _TEXT, mail.html)}
    return found.get(part) or _nothing()


def _nothing() -> Page:
    return 404, _TEXT, "There is no such mail.\n"


def server(preview: Preview, port: int) -> ThreadingHTTPServer:
    """Answer a server of the pages on loopback; raise OSError for a port that is taken."""

    class Handler(_Handler):
        page = staticmethod(preview.page)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _Handler(BaseHTTPRequestHandler):
    page: Callable[[str], Page]

    def do_GET(self) -> None:
        # A site that the browser shows must not read the pages under its own name (DNS rebinding).
        if urlsplit(f"//{self.headers.get('host', '')}").hostname not in LOOPBACK:
            return self._answer(421, _TEXT, "Only this machine is answered.\n")
        try:
            answer = self.page(unquote(self.path.partition("?")[0]))
        except Exception as error:  # a template of the application may hold anything
            answer = 500, _TEXT, f"{type(error).__name__}: {error}\n"
        return self._answer(*answer)

    def _answer(self, status: int, content_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
