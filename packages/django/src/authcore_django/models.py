"""authcore's tables as Django knows them, written by `tools/models.py` from authcore's own.

They are here for migrations, and to look at: authcore itself reads and writes them by its own statements, since a row
changed past its rules is a hole in them.
"""

# ruff: noqa: RUF012
# mypy: disable-error-code="var-annotated"

from __future__ import annotations

from django.db import models

from authcore_django.fields import Index, KeyField


class AccessSecret(models.Model):
    digest = models.BinaryField(max_length=32, primary_key=True)
    session_id = KeyField(max_length=64)
    expires_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_access"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_access_expires_at"),
            Index(fields=["session_id"], name="ix_authcore_access_session_id"),
        ]


class Attempt(models.Model):
    key = models.BinaryField(max_length=32, primary_key=True)
    failures = models.IntegerField()
    failed_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_attempt"
        indexes = [
            Index(fields=["failed_at"], name="ix_authcore_attempt_failed_at"),
        ]


class Challenge(models.Model):
    id = KeyField(max_length=64, primary_key=True)
    tenant = models.CharField(max_length=64)
    purpose = models.CharField(max_length=64)
    subject = KeyField(max_length=255)
    user_id = KeyField(max_length=255, null=True)
    recipient = models.CharField(max_length=255)
    code_digest = models.BinaryField(max_length=32, null=True)
    code_key = models.CharField(max_length=16, null=True)
    token_digest = models.BinaryField(max_length=32, null=True)
    bindings = models.TextField()
    void = models.BooleanField()
    payload = models.BinaryField(null=True)
    attempts = models.IntegerField()
    max_attempts = models.IntegerField()
    sends = models.IntegerField()
    created_at = models.BigIntegerField()
    sent_at = models.BigIntegerField()
    code_until = models.BigIntegerField()
    expires_at = models.BigIntegerField()
    spent_at = models.BigIntegerField(null=True)

    class Meta:
        db_table = "authcore_challenge"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_challenge_expires_at"),
            Index(fields=["subject"], name="ix_authcore_challenge_subject"),
            Index(fields=["user_id"], name="ix_authcore_challenge_user_id"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["token_digest"], name="uq_authcore_challenge_token_digest"),
        ]


class Effect(models.Model):
    id = KeyField(max_length=64, primary_key=True)
    tenant = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    key = KeyField(max_length=64)
    void = models.BooleanField()
    payload = models.BinaryField(null=True)
    attempts = models.IntegerField()
    created_at = models.BigIntegerField()
    next_at = models.BigIntegerField(null=True)
    lease = models.CharField(max_length=64, null=True)
    done_at = models.BigIntegerField(null=True)

    class Meta:
        db_table = "authcore_effect"
        indexes = [
            Index(fields=["done_at"], name="ix_authcore_effect_done_at"),
            Index(fields=["next_at"], name="ix_authcore_effect_next_at"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="uq_authcore_effect_key"),
        ]


class Epoch(models.Model):
    tenant = KeyField(max_length=64, primary_key=True)
    epoch = models.IntegerField()

    class Meta:
        db_table = "authcore_epoch"


class Event(models.Model):
    id = KeyField(max_length=64, primary_key=True)
    tenant = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    outcome = models.CharField(max_length=8)
    who = KeyField(max_length=64, null=True)
    subject = models.BinaryField(max_length=32, null=True)
    key_id = models.CharField(max_length=16, null=True)
    session_id = models.CharField(max_length=64, null=True)
    at = models.BigIntegerField()
    ip = models.CharField(max_length=64, null=True)
    agent = models.CharField(max_length=32, null=True)
    data = models.TextField(null=True)

    class Meta:
        db_table = "authcore_event"
        indexes = [
            Index(fields=["at"], name="ix_authcore_event_at"),
            Index(fields=["subject"], name="ix_authcore_event_subject"),
            Index(fields=["who"], name="ix_authcore_event_who"),
        ]


class Identity(models.Model):
    pk = models.CompositePrimaryKey("tenant", "provider", "identifier")
    tenant = KeyField(max_length=64)
    provider = KeyField(max_length=64)
    identifier = KeyField(max_length=255)
    user_id = KeyField(max_length=255)
    created_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_identity"
        verbose_name_plural = "identities"
        indexes = [
            Index(fields=["user_id"], name="ix_authcore_identity_user_id"),
        ]


class KnownDevice(models.Model):
    pk = models.CompositePrimaryKey("user_id", "digest")
    user_id = KeyField(max_length=255)
    digest = models.BinaryField(max_length=32)
    first_seen_at = models.BigIntegerField()
    last_seen_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_known_device"
        indexes = [
            Index(fields=["last_seen_at"], name="ix_authcore_known_device_last_seen_at"),
        ]


class KeyValue(models.Model):
    key = KeyField(max_length=255, primary_key=True)
    value = models.BinaryField(null=True)
    number = models.BigIntegerField(db_default=0)
    expires_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_kv"
        verbose_name_plural = "key values"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_kv_expires_at"),
        ]


class Password(models.Model):
    user_id = KeyField(max_length=255, primary_key=True)
    digest = models.CharField(max_length=512)
    created_at = models.BigIntegerField()
    updated_at = models.BigIntegerField()
    changed_at = models.BigIntegerField()
    must_change = models.CharField(max_length=16, null=True)

    class Meta:
        db_table = "authcore_password"


class PasswordHistory(models.Model):
    pk = models.CompositePrimaryKey("user_id", "number")
    user_id = KeyField(max_length=255)
    number = models.IntegerField()
    digest = models.CharField(max_length=512)
    replaced_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_password_history"


class Pseudonym(models.Model):
    user_id = KeyField(max_length=255, primary_key=True)
    pseudonym = KeyField(max_length=64)

    class Meta:
        db_table = "authcore_pseudonym"
        constraints = [
            models.UniqueConstraint(fields=["pseudonym"], name="uq_authcore_pseudonym_pseudonym"),
        ]


class RefreshToken(models.Model):
    digest = models.BinaryField(max_length=32, primary_key=True)
    tenant = models.CharField(max_length=64)
    session_id = KeyField(max_length=64)
    expires_at = models.BigIntegerField()
    used_at = models.BigIntegerField(null=True)
    nonce = models.BinaryField(max_length=32, null=True)
    key_id = models.CharField(max_length=16, null=True)
    next_digest = models.BinaryField(max_length=32, null=True)

    class Meta:
        db_table = "authcore_refresh"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_refresh_expires_at"),
            Index(fields=["next_digest"], name="ix_authcore_refresh_next_digest"),
            Index(fields=["session_id"], name="ix_authcore_refresh_session_id"),
        ]


class Remember(models.Model):
    digest = models.BinaryField(max_length=32, primary_key=True)
    tenant = models.CharField(max_length=64)
    user_id = KeyField(max_length=255)
    epoch = models.IntegerField()
    transport = models.CharField(max_length=8)
    device = models.BinaryField(max_length=32, null=True)
    created_at = models.BigIntegerField()
    expires_at = models.BigIntegerField()
    spent_at = models.BigIntegerField(null=True)
    replaced_at = models.BigIntegerField(null=True)

    class Meta:
        db_table = "authcore_remember"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_remember_expires_at"),
            Index(fields=["user_id"], name="ix_authcore_remember_user_id"),
        ]


class Revocation(models.Model):
    seq = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=8)
    subject = models.CharField(max_length=64)
    value = models.CharField(max_length=32)
    at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_revocation"
        indexes = [
            Index(fields=["at"], name="ix_authcore_revocation_at"),
        ]


class Session(models.Model):
    id = KeyField(max_length=64, primary_key=True)
    tenant = models.CharField(max_length=64)
    user_id = KeyField(max_length=255)
    epoch = models.IntegerField()
    transport = models.CharField(max_length=8)
    aal = models.IntegerField()
    amr = models.TextField()
    auth_time = models.BigIntegerField()
    created_at = models.BigIntegerField()
    last_seen_at = models.BigIntegerField()
    expires_at = models.BigIntegerField()
    ends_at = models.BigIntegerField()
    revoked_at = models.BigIntegerField(null=True)
    generation = models.IntegerField()
    stamp = models.CharField(max_length=32)
    ip = models.CharField(max_length=64, null=True)
    user_agent = models.CharField(max_length=400, null=True)
    device_id = models.CharField(max_length=200, null=True)
    device_name = models.CharField(max_length=200, null=True)
    fingerprint = models.CharField(max_length=200, null=True)
    scopes = models.TextField(null=True)
    claims = models.TextField(null=True)
    persistent = models.BooleanField()

    class Meta:
        db_table = "authcore_session"
        indexes = [
            Index(fields=["ends_at"], name="ix_authcore_session_ends_at"),
            Index(fields=["user_id"], name="ix_authcore_session_user_id"),
        ]


class SessionData(models.Model):
    id = KeyField(max_length=64, primary_key=True)
    tenant = models.CharField(max_length=64)
    user_id = KeyField(max_length=255, null=True)
    digest = models.BinaryField(max_length=32, null=True)
    data = models.TextField()
    updated_at = models.BigIntegerField()
    expires_at = models.BigIntegerField(null=True)

    class Meta:
        db_table = "authcore_session_data"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_session_data_expires_at"),
            Index(fields=["user_id"], name="ix_authcore_session_data_user_id"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="uq_authcore_session_data_digest"),
        ]


class SigningKey(models.Model):
    number = models.IntegerField(primary_key=True)
    kid = KeyField(max_length=128)
    algorithm = models.CharField(max_length=16)
    private_key = models.BinaryField()
    created_at = models.BigIntegerField()
    active_at = models.BigIntegerField()
    expires_at = models.BigIntegerField(null=True)

    class Meta:
        db_table = "authcore_signing_key"
        indexes = [
            Index(fields=["expires_at"], name="ix_authcore_signing_key_expires_at"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kid"], name="uq_authcore_signing_key_kid"),
        ]


class User(models.Model):
    id = KeyField(max_length=255, primary_key=True)
    tenant = models.CharField(max_length=64)
    email = models.CharField(max_length=320, null=True)
    email_verified_at = models.BigIntegerField(null=True)
    display_name = models.CharField(max_length=200, null=True)
    username = models.CharField(max_length=64, null=True)
    phone = models.CharField(max_length=32, null=True)
    locale = models.CharField(max_length=35, null=True)
    fields = models.TextField(null=True)
    anonymous = models.BooleanField()
    disabled_at = models.BigIntegerField(null=True)
    delete_at = models.BigIntegerField(null=True)
    credential_epoch = models.IntegerField()
    created_at = models.BigIntegerField()
    updated_at = models.BigIntegerField()

    class Meta:
        db_table = "authcore_user"
        indexes = [
            Index(fields=["delete_at"], name="ix_authcore_user_delete_at"),
        ]
