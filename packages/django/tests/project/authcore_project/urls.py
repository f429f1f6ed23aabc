"""authcore under its prefix, and the application's own views."""

from django.urls import include, path

from authcore_django import require
from authcore_project import views

urlpatterns = [
    path("auth/", include("authcore_django.urls")),
    path("hello", views.hello),
    path("ahello", views.ahello),
    path("class", views.Hello.as_view()),
    path("aclass", views.AsyncHello.as_view()),
    path("public", views.done),
    path("open", views.open_to_all),
    path("aopen", views.aopen),
    path("loop", views.on_the_loop),
    path("act", require()(views.done)),
    path("aact", require()(views.adone)),
    path("hook", require(csrf=False)(views.done)),
    path("mfa", require(mfa=True)(views.done)),
    path("fresh", require(fresh="5m")(views.done)),
    path("twice", views.twice),
    path("raise", views.raising),
    path("araise", views.araising),
    path("fail", views.failing),
    path("enter", views.enter),
    path("aenter", views.aenter),
    path("outside", views.outside),
    path("leave", views.leave),
    path("aleave", views.aleave),
    path("waived", require(csrf=False)(views.open_to_all)),
    path("awaived", require(csrf=False)(views.aopen)),
]
