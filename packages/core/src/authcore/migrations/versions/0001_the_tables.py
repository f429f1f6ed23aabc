"""The tables."""

import sqlalchemy as sa
from alembic import op

from authcore.tables import Blob, Json, Key, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    op.create_table(
        "authcore_access",
        sa.Column("digest", Blob(length=32), nullable=False),
        sa.Column("session_id", Key(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_authcore_access")),
    )
    op.create_index(op.f("ix_authcore_access_expires_at"), "authcore_access", ["expires_at"], unique=False)
    op.create_index(op.f("ix_authcore_access_session_id"), "authcore_access", ["session_id"], unique=False)
    op.create_table(
        "authcore_attempt",
        sa.Column("key", Blob(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_authcore_attempt")),
    )
    op.create_index(op.f("ix_authcore_attempt_failed_at"), "authcore_attempt", ["failed_at"], unique=False)
    op.create_table(
        "authcore_challenge",
        sa.Column("id", Key(length=64), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("purpose", Key(length=64), nullable=False),
        sa.Column("subject", Key(length=255), nullable=False),
        sa.Column("user_id", Key(length=255), nullable=True),
        sa.Column("recipient", Key(length=255), nullable=False),
        sa.Column("code_digest", Blob(length=32), nullable=True),
        sa.Column("code_key", Key(length=16), nullable=True),
        sa.Column("token_digest", Blob(length=32), nullable=True),
        sa.Column("bindings", Json(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("payload", Blob(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.Column("code_until", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("spent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authcore_challenge")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_authcore_challenge_token_digest")),
    )
    op.create_index(op.f("ix_authcore_challenge_expires_at"), "authcore_challenge", ["expires_at"], unique=False)
    op.create_index(op.f("ix_authcore_challenge_subject"), "authcore_challenge", ["subject"], unique=False)
    op.create_index(op.f("ix_authcore_challenge_user_id"), "authcore_challenge", ["user_id"], unique=False)
    op.create_table(
        "authcore_effect",
        sa.Column("id", Key(length=64), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("kind", Key(length=32), nullable=False),
        sa.Column("key", Key(length=64), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("payload", Blob(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("lease", Key(length=64), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authcore_effect")),
        sa.UniqueConstraint("key", name=op.f("uq_authcore_effect_key")),
    )
    op.create_index(op.f("ix_authcore_effect_done_at"), "authcore_effect", ["done_at"], unique=False)
    op.create_index(op.f("ix_authcore_effect_next_at"), "authcore_effect", ["next_at"], unique=False)
    op.create_table(
        "authcore_epoch",
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_authcore_epoch")),
    )
    op.create_table(
        "authcore_event",
        sa.Column("id", Key(length=64), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("name", Key(length=64), nullable=False),
        sa.Column("outcome", Key(length=8), nullable=False),
        sa.Column("who", Key(length=64), nullable=True),
        sa.Column("subject", Blob(length=32), nullable=True),
        sa.Column("key_id", Key(length=16), nullable=True),
        sa.Column("session_id", Key(length=64), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("agent", Key(length=32), nullable=True),
        sa.Column("data", Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authcore_event")),
    )
    op.create_index(op.f("ix_authcore_event_at"), "authcore_event", ["at"], unique=False)
    op.create_index(op.f("ix_authcore_event_subject"), "authcore_event", ["subject"], unique=False)
    op.create_index(op.f("ix_authcore_event_who"), "authcore_event", ["who"], unique=False)
    op.create_table(
        "authcore_identity",
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("provider", Key(length=64), nullable=False),
        sa.Column("identifier", Key(length=255), nullable=False),
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "provider", "identifier", name=op.f("pk_authcore_identity")),
    )
    op.create_index(op.f("ix_authcore_identity_user_id"), "authcore_identity", ["user_id"], unique=False)
    op.create_table(
        "authcore_known_device",
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("digest", Blob(length=32), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "digest", name=op.f("pk_authcore_known_device")),
    )
    op.create_index(
        op.f("ix_authcore_known_device_last_seen_at"), "authcore_known_device", ["last_seen_at"], unique=False
    )
    op.create_table(
        "authcore_kv",
        sa.Column("key", Key(length=255), nullable=False),
        sa.Column("value", Blob(), nullable=True),
        sa.Column("number", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_authcore_kv")),
    )
    op.create_index(op.f("ix_authcore_kv_expires_at"), "authcore_kv", ["expires_at"], unique=False)
    op.create_table(
        "authcore_password",
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("digest", sa.String(length=512), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("must_change", Key(length=16), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_authcore_password")),
    )
    op.create_table(
        "authcore_password_history",
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=512), nullable=False),
        sa.Column("replaced_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "number", name=op.f("pk_authcore_password_history")),
    )
    op.create_table(
        "authcore_pseudonym",
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("pseudonym", Key(length=64), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_authcore_pseudonym")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_authcore_pseudonym_pseudonym")),
    )
    op.create_table(
        "authcore_refresh",
        sa.Column("digest", Blob(length=32), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("session_id", Key(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("nonce", Blob(length=32), nullable=True),
        sa.Column("key_id", Key(length=16), nullable=True),
        sa.Column("next_digest", Blob(length=32), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_authcore_refresh")),
    )
    op.create_index(op.f("ix_authcore_refresh_expires_at"), "authcore_refresh", ["expires_at"], unique=False)
    op.create_index(op.f("ix_authcore_refresh_next_digest"), "authcore_refresh", ["next_digest"], unique=False)
    op.create_index(op.f("ix_authcore_refresh_session_id"), "authcore_refresh", ["session_id"], unique=False)
    op.create_table(
        "authcore_remember",
        sa.Column("digest", Blob(length=32), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transport", Key(length=8), nullable=False),
        sa.Column("device", Blob(length=32), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("spent_at", UtcDateTime(), nullable=True),
        sa.Column("replaced_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_authcore_remember")),
    )
    op.create_index(op.f("ix_authcore_remember_expires_at"), "authcore_remember", ["expires_at"], unique=False)
    op.create_index(op.f("ix_authcore_remember_user_id"), "authcore_remember", ["user_id"], unique=False)
    op.create_table(
        "authcore_revocation",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", Key(length=8), nullable=False),
        sa.Column("subject", Key(length=64), nullable=False),
        sa.Column("value", Key(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_authcore_revocation")),
    )
    op.create_index(op.f("ix_authcore_revocation_at"), "authcore_revocation", ["at"], unique=False)
    op.create_table(
        "authcore_session",
        sa.Column("id", Key(length=64), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("user_id", Key(length=255), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("transport", Key(length=8), nullable=False),
        sa.Column("aal", sa.Integer(), nullable=False),
        sa.Column("amr", Json(), nullable=False),
        sa.Column("auth_time", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("stamp", Key(length=32), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=400), nullable=True),
        sa.Column("device_id", sa.String(length=200), nullable=True),
        sa.Column("device_name", sa.String(length=200), nullable=True),
        sa.Column("fingerprint", sa.String(length=200), nullable=True),
        sa.Column("scopes", Json(), nullable=True),
        sa.Column("claims", Json(), nullable=True),
        sa.Column("persistent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authcore_session")),
    )
    op.create_index(op.f("ix_authcore_session_ends_at"), "authcore_session", ["ends_at"], unique=False)
    op.create_index(op.f("ix_authcore_session_user_id"), "authcore_session", ["user_id"], unique=False)
    op.create_table(
        "authcore_session_data",
        sa.Column("id", Key(length=64), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("user_id", Key(length=255), nullable=True),
        sa.Column("digest", Blob(length=32), nullable=True),
        sa.Column("data", Json(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authcore_session_data")),
        sa.UniqueConstraint("digest", name=op.f("uq_authcore_session_data_digest")),
    )
    op.create_index(op.f("ix_authcore_session_data_expires_at"), "authcore_session_data", ["expires_at"], unique=False)
    op.create_index(op.f("ix_authcore_session_data_user_id"), "authcore_session_data", ["user_id"], unique=False)
    op.create_table(
        "authcore_signing_key",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kid", Key(length=128), nullable=False),
        sa.Column("algorithm", Key(length=16), nullable=False),
        sa.Column("private_key", Blob(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("active_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_authcore_signing_key")),
        sa.UniqueConstraint("kid", name=op.f("uq_authcore_signing_key_kid")),
    )
    op.create_index(op.f("ix_authcore_signing_key_expires_at"), "authcore_signing_key", ["expires_at"], unique=False)
    op.create_table(
        "authcore_user",
        sa.Column("id", Key(length=255), nullable=False),
        sa.Column("tenant", Key(length=64), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("email_verified_at", UtcDateTime(), nullable=True),
        sa.Column("display_name", sa.String(length=200), nullable=True),
        sa.Column("username", Key(length=64), nullable=True),
        sa.Column("phone", Key(length=32), nullable=True),
        sa.Column("locale", Key(length=35), nullable=True),
        sa.Column("fields", Json(), nullable=True),
        sa.Column("anonymous", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.Column("delete_at", UtcDateTime(), nullable=True),
        sa.Column("credential_epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authcore_user")),
    )
    op.create_index(op.f("ix_authcore_user_delete_at"), "authcore_user", ["delete_at"], unique=False)


def downgrade() -> None:
    """Change them back."""
    op.drop_index(op.f("ix_authcore_user_delete_at"), table_name="authcore_user")
    op.drop_table("authcore_user")
    op.drop_index(op.f("ix_authcore_signing_key_expires_at"), table_name="authcore_signing_key")
    op.drop_table("authcore_signing_key")
    op.drop_index(op.f("ix_authcore_session_data_user_id"), table_name="authcore_session_data")
    op.drop_index(op.f("ix_authcore_session_data_expires_at"), table_name="authcore_session_data")
    op.drop_table("authcore_session_data")
    op.drop_index(op.f("ix_authcore_session_user_id"), table_name="authcore_session")
    op.drop_index(op.f("ix_authcore_session_ends_at"), table_name="authcore_session")
    op.drop_table("authcore_session")
    op.drop_index(op.f("ix_authcore_revocation_at"), table_name="authcore_revocation")
    op.drop_table("authcore_revocation")
    op.drop_index(op.f("ix_authcore_remember_user_id"), table_name="authcore_remember")
    op.drop_index(op.f("ix_authcore_remember_expires_at"), table_name="authcore_remember")
    op.drop_table("authcore_remember")
    op.drop_index(op.f("ix_authcore_refresh_session_id"), table_name="authcore_refresh")
    op.drop_index(op.f("ix_authcore_refresh_next_digest"), table_name="authcore_refresh")
    op.drop_index(op.f("ix_authcore_refresh_expires_at"), table_name="authcore_refresh")
    op.drop_table("authcore_refresh")
    op.drop_table("authcore_pseudonym")
    op.drop_table("authcore_password_history")
    op.drop_table("authcore_password")
    op.drop_index(op.f("ix_authcore_kv_expires_at"), table_name="authcore_kv")
    op.drop_table("authcore_kv")
    op.drop_index(op.f("ix_authcore_known_device_last_seen_at"), table_name="authcore_known_device")
    op.drop_table("authcore_known_device")
    op.drop_index(op.f("ix_authcore_identity_user_id"), table_name="authcore_identity")
    op.drop_table("authcore_identity")
    op.drop_index(op.f("ix_authcore_event_who"), table_name="authcore_event")
    op.drop_index(op.f("ix_authcore_event_subject"), table_name="authcore_event")
    op.drop_index(op.f("ix_authcore_event_at"), table_name="authcore_event")
    op.drop_table("authcore_event")
    op.drop_table("authcore_epoch")
    op.drop_index(op.f("ix_authcore_effect_next_at"), table_name="authcore_effect")
    op.drop_index(op.f("ix_authcore_effect_done_at"), table_name="authcore_effect")
    op.drop_table("authcore_effect")
    op.drop_index(op.f("ix_authcore_challenge_user_id"), table_name="authcore_challenge")
    op.drop_index(op.f("ix_authcore_challenge_subject"), table_name="authcore_challenge")
    op.drop_index(op.f("ix_authcore_challenge_expires_at"), table_name="authcore_challenge")
    op.drop_table("authcore_challenge")
    op.drop_index(op.f("ix_authcore_attempt_failed_at"), table_name="authcore_attempt")
    op.drop_table("authcore_attempt")
    op.drop_index(op.f("ix_authcore_access_session_id"), table_name="authcore_access")
    op.drop_index(op.f("ix_authcore_access_expires_at"), table_name="authcore_access")
    op.drop_table("authcore_access")
