"""Looking after users, by Python calls and on the command line; never over HTTP. Always on."""

from __future__ import annotations

from typing import ClassVar

from authcore.feature import Feature
from authcore.features.administration.calls import AdministrationCalls
from authcore.features.administration.schemas import AccountInfo
from authcore.route import Route

__all__ = ["AccountInfo", "Administration", "AdministrationCalls"]


class Administration(Feature):
    """Find, make, disable, enable and delete users, and have their passwords changed."""

    name = "administration"
    calls = AdministrationCalls
    routes: ClassVar[tuple[Route, ...]] = ()
