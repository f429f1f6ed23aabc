from django.db import migrations, models

import authcore_django.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Password",
            fields=[
                ("user_id", authcore_django.fields.KeyField(max_length=255, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=512)),
                ("created_at", models.BigIntegerField()),
                ("updated_at", models.BigIntegerField()),
            ],
            options={
                "db_table": "authcore_password",
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", authcore_django.fields.KeyField(max_length=255, primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("email", models.CharField(max_length=320, null=True)),
                ("email_verified_at", models.BigIntegerField(null=True)),
                ("display_name", models.CharField(max_length=200, null=True)),
                ("anonymous", models.BooleanField()),
                ("disabled_at", models.BigIntegerField(null=True)),
                ("credential_epoch", models.IntegerField()),
                ("created_at", models.BigIntegerField()),
                ("updated_at", models.BigIntegerField()),
            ],
            options={
                "db_table": "authcore_user",
            },
        ),
        migrations.CreateModel(
            name="AccessSecret",
            fields=[
                ("digest", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("session_id", authcore_django.fields.KeyField(max_length=64)),
                ("expires_at", models.BigIntegerField()),
            ],
            options={
                "db_table": "authcore_access",
                "indexes": [
                    authcore_django.fields.Index(fields=["expires_at"], name="ix_authcore_access_expires_at"),
                    authcore_django.fields.Index(fields=["session_id"], name="ix_authcore_access_session_id"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("key", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("failures", models.IntegerField()),
                ("failed_at", models.BigIntegerField()),
            ],
            options={
                "db_table": "authcore_attempt",
                "indexes": [authcore_django.fields.Index(fields=["failed_at"], name="ix_authcore_attempt_failed_at")],
            },
        ),
        migrations.CreateModel(
            name="Challenge",
            fields=[
                ("id", authcore_django.fields.KeyField(max_length=64, primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("purpose", models.CharField(max_length=64)),
                ("subject", authcore_django.fields.KeyField(max_length=255)),
                ("recipient", models.CharField(max_length=255)),
                ("code_digest", models.BinaryField(max_length=32, null=True)),
                ("code_key", models.CharField(max_length=16, null=True)),
                ("token_digest", models.BinaryField(max_length=32, null=True)),
                ("bindings", models.TextField()),
                ("void", models.BooleanField()),
                ("payload", models.BinaryField(null=True)),
                ("attempts", models.IntegerField()),
                ("max_attempts", models.IntegerField()),
                ("sends", models.IntegerField()),
                ("created_at", models.BigIntegerField()),
                ("sent_at", models.BigIntegerField()),
                ("expires_at", models.BigIntegerField()),
                ("spent_at", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "authcore_challenge",
                "indexes": [
                    authcore_django.fields.Index(fields=["expires_at"], name="ix_authcore_challenge_expires_at"),
                    authcore_django.fields.Index(fields=["subject"], name="ix_authcore_challenge_subject"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("token_digest",), name="uq_authcore_challenge_token_digest")
                ],
            },
        ),
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", authcore_django.fields.KeyField(max_length=64, primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("kind", models.CharField(max_length=32)),
                ("key", authcore_django.fields.KeyField(max_length=64)),
                ("void", models.BooleanField()),
                ("payload", models.BinaryField(null=True)),
                ("attempts", models.IntegerField()),
                ("created_at", models.BigIntegerField()),
                ("next_at", models.BigIntegerField(null=True)),
                ("lease", models.CharField(max_length=64, null=True)),
                ("done_at", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "authcore_effect",
                "indexes": [
                    authcore_django.fields.Index(fields=["done_at"], name="ix_authcore_effect_done_at"),
                    authcore_django.fields.Index(fields=["next_at"], name="ix_authcore_effect_next_at"),
                ],
                "constraints": [models.UniqueConstraint(fields=("key",), name="uq_authcore_effect_key")],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", authcore_django.fields.KeyField(max_length=64, primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=64)),
                ("user_id", authcore_django.fields.KeyField(max_length=255, null=True)),
                ("session_id", models.CharField(max_length=64, null=True)),
                ("at", models.BigIntegerField()),
                ("data", models.TextField(null=True)),
            ],
            options={
                "db_table": "authcore_event",
                "indexes": [
                    authcore_django.fields.Index(fields=["at"], name="ix_authcore_event_at"),
                    authcore_django.fields.Index(fields=["user_id"], name="ix_authcore_event_user_id"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant",
                        "provider",
                        "identifier",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant", authcore_django.fields.KeyField(max_length=64)),
                ("provider", authcore_django.fields.KeyField(max_length=64)),
                ("identifier", authcore_django.fields.KeyField(max_length=255)),
                ("user_id", authcore_django.fields.KeyField(max_length=255)),
                ("created_at", models.BigIntegerField()),
            ],
            options={
                "verbose_name_plural": "identities",
                "db_table": "authcore_identity",
                "indexes": [authcore_django.fields.Index(fields=["user_id"], name="ix_authcore_identity_user_id")],
            },
        ),
        migrations.CreateModel(
            name="KeyValue",
            fields=[
                ("key", authcore_django.fields.KeyField(max_length=255, primary_key=True, serialize=False)),
                ("value", models.BinaryField(null=True)),
                ("number", models.BigIntegerField(db_default=0)),
                ("expires_at", models.BigIntegerField()),
            ],
            options={
                "verbose_name_plural": "key values",
                "db_table": "authcore_kv",
                "indexes": [authcore_django.fields.Index(fields=["expires_at"], name="ix_authcore_kv_expires_at")],
            },
        ),
        migrations.CreateModel(
            name="RefreshToken",
            fields=[
                ("digest", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("session_id", authcore_django.fields.KeyField(max_length=64)),
                ("expires_at", models.BigIntegerField()),
                ("used_at", models.BigIntegerField(null=True)),
                ("nonce", models.BinaryField(max_length=32, null=True)),
                ("key_id", models.CharField(max_length=16, null=True)),
                ("next_digest", models.BinaryField(max_length=32, null=True)),
            ],
            options={
                "db_table": "authcore_refresh",
                "indexes": [
                    authcore_django.fields.Index(fields=["expires_at"], name="ix_authcore_refresh_expires_at"),
                    authcore_django.fields.Index(fields=["next_digest"], name="ix_authcore_refresh_next_digest"),
                    authcore_django.fields.Index(fields=["session_id"], name="ix_authcore_refresh_session_id"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", authcore_django.fields.KeyField(max_length=64, primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("user_id", authcore_django.fields.KeyField(max_length=255)),
                ("epoch", models.IntegerField()),
                ("transport", models.CharField(max_length=8)),
                ("aal", models.IntegerField()),
                ("amr", models.TextField()),
                ("auth_time", models.BigIntegerField()),
                ("created_at", models.BigIntegerField()),
                ("last_seen_at", models.BigIntegerField()),
                ("expires_at", models.BigIntegerField()),
                ("ends_at", models.BigIntegerField()),
                ("revoked_at", models.BigIntegerField(null=True)),
                ("ip", models.CharField(max_length=64, null=True)),
                ("user_agent", models.CharField(max_length=400, null=True)),
                ("device_id", models.CharField(max_length=200, null=True)),
                ("device_name", models.CharField(max_length=200, null=True)),
            ],
            options={
                "db_table": "authcore_session",
                "indexes": [
                    authcore_django.fields.Index(fields=["ends_at"], name="ix_authcore_session_ends_at"),
                    authcore_django.fields.Index(fields=["user_id"], name="ix_authcore_session_user_id"),
                ],
            },
        ),
    ]
