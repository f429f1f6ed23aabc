"""Credentials over any store: issue, validate, refresh, revoke, list (S30, S37–S42, S117, rule T6).

values      what goes in and comes out, and what the manager writes beside an application's claims
flows       issuing, validating, ending and listing
rotation    one refresh token, one successor, whoever asks and however often inside the grace
places      at most so many sign-ins of a user, exactly
"""

from authcore.services.orchestrator.flows import (
    deny,
    issue,
    list_for_user,
    revoke,
    revoke_all_for_user,
    revoke_family,
    validate,
)
from authcore.services.orchestrator.rotation import refresh
from authcore.services.orchestrator.values import (
    CredentialContext,
    IssuedCredentials,
    Parts,
    RefreshConfig,
    Settings,
    generate_secret,
)

__all__ = [
    "CredentialContext",
    "IssuedCredentials",
    "Parts",
    "RefreshConfig",
    "Settings",
    "deny",
    "generate_secret",
    "issue",
    "list_for_user",
    "refresh",
    "revoke",
    "revoke_all_for_user",
    "revoke_family",
    "validate",
]
