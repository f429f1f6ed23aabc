"""`path("auth/", include("authcore_django.urls"))`: everything under the prefix is the core's."""

from __future__ import annotations

from django.urls import ResolverMatch
from django.urls.resolvers import RegexPattern, URLPattern

from authcore_django.guards import on_loop
from authcore_django.views import aserve, serve


class _Mount(URLPattern):
    """The view for the server's mode: the handler of ASGI resolves on its event loop, that of WSGI has none."""

    def resolve(self, path: str) -> ResolverMatch | None:
        """Answer the view for any path."""
        match = super().resolve(path)
        if match is not None and on_loop():
            match.func = aserve
        return match


app_name = "authcore"
urlpatterns = [_Mount(RegexPattern(r"", is_endpoint=True), serve, name="mount")]
