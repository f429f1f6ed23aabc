"""Every failure that a user of any framework can see.

AuthError                                  status  code
├── InvalidJson                            400     invalid_json
├── InvalidBody                            400     invalid_body
├── InvalidChallenge                       400     invalid_challenge
├── AmbiguousCredentials                   400     ambiguous_credentials
├── NotAuthenticated                       401     not_authenticated
│   ├── ReauthenticationRequired           401     reauthentication_required
│   └── InsufficientUserAuthentication     401     insufficient_user_authentication
├── InvalidCredentials                     401     invalid_credentials
├── InvalidRefreshToken                    401     invalid_refresh_token
├── Forbidden                              403     forbidden
│   ├── OriginNotAllowed                   403     origin_not_allowed
│   ├── AccountRequired                    403     account_required
│   ├── InsufficientScope                  403     insufficient_scope
│   ├── EmailNotVerified                   403     email_not_verified
│   ├── HostNotAllowed                     403     host_not_allowed
│   ├── PasswordDisabled                   403     password_disabled
│   └── SignUpClosed                       403     sign_up_closed
├── NotFound                               404     not_found
├── MethodNotAllowed                       405     method_not_allowed
├── Conflict                               409     conflict
├── BodyTooLarge                           413     body_too_large
├── UnsupportedMediaType                   415     unsupported_media_type
├── InvalidFields                          422     invalid_fields
├── RateLimited                            429     rate_limited
├── Overloaded                             503     overloaded
└── Unavailable                            503     unavailable

A room adds its own below these. `ConfigurationError` is no `AuthError`: it is raised while an application starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Headers = tuple[tuple[str, str], ...]


class ConfigurationError(ValueError):
    """Say which setting is wrong and what to write instead."""


class AuthError(Exception):
    """Carry a stable `code`, an HTTP `status` and a sentence for people.

    `details` is JSON-ready or None. `headers` are sent with the answer. With a `location` the answer sends a browser
    there by 303 instead of refusing it (RFC 9110 15.4.4).
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: str = "The request could not be served."
    location: str | None = None

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        headers: Headers = (),
    ) -> None:
        self.message = message or type(self).message
        self.details = details
        self.headers = headers
        super().__init__(self.message)

    def to_json(self) -> dict[str, Any]:
        """Answer the failure body of the wire: `{"error": {"code", "message", "details"?}}`."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}

    def __reduce__(self) -> Any:
        return _revive, (type(self), self.message, self.details, self.headers, self.location)


def _revive(kind: type[AuthError], message: str, details: Any, headers: Headers, location: str | None) -> AuthError:
    error = kind(message, details=details, headers=headers)
    error.location = location
    return error


class InvalidJson(AuthError):
    """The body is no JSON text that authcore reads: encoding, syntax, depth, a key twice, NUL or NaN."""

    code = "invalid_json"
    message = "The body is not valid JSON."


class InvalidBody(AuthError):
    """The body broke off before its announced end."""

    code = "invalid_body"
    message = "The body could not be read to its end."


class InvalidChallenge(AuthError):
    """Unknown, expired, used or wrong; which one is not told."""

    code = "invalid_challenge"
    message = "The code or link is not valid. Ask for another one."


class AmbiguousCredentials(AuthError):
    """The request carries more than one credential, or one that servers read differently."""

    code = "ambiguous_credentials"
    message = "Send exactly one credential."


class NotAuthenticated(AuthError):
    """No session, an ended one or another tenant's; which one is not told."""

    code = "not_authenticated"
    status = 401
    message = "Sign in first."


class ReauthenticationRequired(NotAuthenticated):
    """The session is older than the action allows (RFC 9470 section 3)."""

    code = "reauthentication_required"
    message = "Confirm that it is you, then try again."


class InsufficientUserAuthentication(NotAuthenticated):
    """The session lacks a second factor that the action asks for (RFC 9470 section 3)."""

    code = "insufficient_user_authentication"
    message = "Sign in with a second factor, then try again."


class InvalidCredentials(AuthError):
    """Unknown account, wrong password, locked or disabled; which one is not told."""

    code = "invalid_credentials"
    status = 401
    message = "The e-mail address or the password is not right."


class InvalidRefreshToken(AuthError):
    """Unknown, expired, replaced or revoked; which one is not told."""

    code = "invalid_refresh_token"
    status = 401
    message = "The refresh token is not valid. Sign in again."


class Forbidden(AuthError):
    """Signed in, and not allowed."""

    code = "forbidden"
    status = 403
    message = "This is not allowed."


class OriginNotAllowed(Forbidden):
    """A browser's request came from a site that is not listed."""

    code = "origin_not_allowed"
    message = "The request's origin is not allowed: send Origin or use bearer."


class AccountRequired(Forbidden):
    """A session without an account asks for what only accounts have."""

    code = "account_required"
    message = "This needs an account: sign up or sign in."


class InsufficientScope(Forbidden):
    """The session was given less than the action asks for (RFC 6750 section 3.1)."""

    code = "insufficient_scope"
    message = "This session may not do that."


class EmailNotVerified(Forbidden):
    """The action asks for a proven e-mail address."""

    code = "email_not_verified"
    message = "Verify your e-mail address first."


class HostNotAllowed(Forbidden):
    """In development only loopback hosts are answered (DNS rebinding)."""

    code = "host_not_allowed"
    message = "In dev_mode only loopback hosts are answered: list this host in dev_hosts."


class PasswordDisabled(Forbidden):
    """Passwords are switched off here, for every address alike."""

    code = "password_disabled"
    message = "Passwords are not used here."


class SignUpClosed(Forbidden):
    """The application makes no account for who asks; whether there is one already is not told."""

    code = "sign_up_closed"
    message = "Signing up is not open here."


class NotFound(AuthError):
    """No such route or thing, or one that belongs to somebody else."""

    code = "not_found"
    status = 404
    message = "There is nothing here."


class MethodNotAllowed(AuthError):
    """The path exists, the method does not; `Allow` lists those that do."""

    code = "method_not_allowed"
    status = 405
    message = "The method is not allowed here."


class Conflict(AuthError):
    """The state of things does not allow it."""

    code = "conflict"
    status = 409
    message = "This conflicts with what is there."


class BodyTooLarge(AuthError):
    """The body is larger than 64 KiB."""

    code = "body_too_large"
    status = 413
    message = "The body is too large."


class UnsupportedMediaType(AuthError):
    """Only `application/json` is read."""

    code = "unsupported_media_type"
    status = 415
    message = "Send the body as application/json."


class InvalidFields(AuthError):
    """Every wrong field at once, as `[{"field", "code", "message"}]`; no value is echoed."""

    code = "invalid_fields"
    status = 422
    message = "Some fields are not valid."

    def __str__(self) -> str:
        """Answer the sentence with each wrong field's own, for who reads a traceback or a command's error."""
        wrong = [detail for detail in self.details or () if isinstance(detail, Mapping)]
        return " ".join([self.message, *(f"{detail['field']!r}: {detail['message']}" for detail in wrong)])


class RateLimited(AuthError):
    """Too many attempts; `Retry-After` gives the seconds to wait."""

    code = "rate_limited"
    status = 429
    message = "Too many attempts. Wait a while."

    @classmethod
    def after(cls, seconds: int) -> RateLimited:
        """Answer the error with its `Retry-After` in whole seconds, at least 1."""
        return cls(headers=(("Retry-After", str(max(1, seconds))),))


class Overloaded(AuthError):
    """More work is waiting than can be begun in time."""

    code = "overloaded"
    status = 503
    message = "The service is busy. Try again in a moment."

    def __init__(self, message: str | None = None, *, details: Any = None, headers: Headers = ()) -> None:
        super().__init__(message, details=details, headers=headers or (("Retry-After", "2"),))


class Unavailable(Overloaded):
    """A store cannot be reached, or its schema is missing."""

    code = "unavailable"
    message = "The service is not available. Try again in a moment."


def field_error(field: str, code: str, message: str) -> InvalidFields:
    """Answer the error for one wrong field."""
    return InvalidFields(details=[{"field": field, "code": code, "message": message}])
