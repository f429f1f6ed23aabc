"""Authentication for Python web applications, written once and mounted in any framework."""

from authcore.app import AsyncCore, Auth, BlockingCore, requirement
from authcore.context import Authenticated, Tenant
from authcore.errors import AuthError, ConfigurationError
from authcore.features.password import Password
from authcore.features.sessions import Sessions
from authcore.http import Cookie, Request, Result, join_headers
from authcore.route import Requirement
from authcore.services.accounts import User
from authcore.services.sessions import Session
from authcore.services.sign_in import ChallengeRequired, SignedIn

__version__ = "0.2.0"

__all__ = [
    "AsyncCore",
    "Auth",
    "AuthError",
    "Authenticated",
    "BlockingCore",
    "ChallengeRequired",
    "ConfigurationError",
    "Cookie",
    "Password",
    "Request",
    "Requirement",
    "Result",
    "Session",
    "Sessions",
    "SignedIn",
    "Tenant",
    "User",
    "__version__",
    "join_headers",
    "requirement",
]
