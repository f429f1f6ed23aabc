"""Authentication for Python web applications, written once and mounted in any framework."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from authcore.app import AsyncCore, Auth, BlockingCore
from authcore.context import Authenticated, Brand, Tenant
from authcore.errors import AuthError, ConfigurationError
from authcore.features.password import Password
from authcore.features.sessions import Sessions
from authcore.http import Cookie, Request, Result, join_headers
from authcore.route import Requirement
from authcore.services.accounts import User
from authcore.services.admission import Candidate
from authcore.services.named_guards import Guard, GuardDriver, Identified, UserProvider, Visit
from authcore.services.needs import requirement
from authcore.services.own_paths import safe_next
from authcore.services.sessions import Session
from authcore.services.sign_in import ChallengeRequired, SignedIn
from authcore.services.strategies import JwtStrategy, SealedStrategy
from authcore.services.tokens import generate_magic_link_token
from authcore.services.user_fields import Editable

if TYPE_CHECKING:
    from authcore.features.account import Account
    from authcore.features.administration import Administration
    from authcore.features.anonymous import Anonymous
    from authcore.features.audit import Audit
    from authcore.features.code import Code
    from authcore.features.email_change import EmailChange
    from authcore.features.email_code import EmailCode
    from authcore.features.email_verification import EmailVerification
    from authcore.features.magic_link import MagicLink
    from authcore.features.notices import Notices
    from authcore.features.password_reset import PasswordReset

__version__ = "0.2.0"

_ROOMS = {
    "Account": "account",
    "Administration": "administration",
    "Anonymous": "anonymous",
    "Audit": "audit",
    "Code": "code",
    "EmailChange": "email_change",
    "EmailCode": "email_code",
    "EmailVerification": "email_verification",
    "MagicLink": "magic_link",
    "Notices": "notices",
    "PasswordReset": "password_reset",
}
"""Rooms that are loaded when they are asked for: an import pays for none that it does not use."""

__all__ = [
    "Account",
    "Administration",
    "Anonymous",
    "AsyncCore",
    "Audit",
    "Auth",
    "AuthError",
    "Authenticated",
    "BlockingCore",
    "Brand",
    "Candidate",
    "ChallengeRequired",
    "Code",
    "ConfigurationError",
    "Cookie",
    "Editable",
    "EmailChange",
    "EmailCode",
    "EmailVerification",
    "Guard",
    "GuardDriver",
    "Identified",
    "JwtStrategy",
    "MagicLink",
    "Notices",
    "Password",
    "PasswordReset",
    "Request",
    "Requirement",
    "Result",
    "SealedStrategy",
    "Session",
    "Sessions",
    "SignedIn",
    "Tenant",
    "User",
    "UserProvider",
    "Visit",
    "__version__",
    "generate_magic_link_token",
    "join_headers",
    "requirement",
    "safe_next",
]


def __getattr__(name: str) -> Any:
    """Answer a room, loaded at its first use (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"authcore.features.{_ROOMS[name]}"), name)
    globals()[name] = found
    return found
