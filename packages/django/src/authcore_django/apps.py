"""The application's entry in INSTALLED_APPS."""

from django.apps import AppConfig


class AuthcoreConfig(AppConfig):
    """Bring authcore's tables, checks and command; nothing opens before the first request."""

    name = "authcore_django"
    label = "authcore"
    verbose_name = "Authentication"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and build anew when a test changes the settings."""
        from authcore_django import checks  # noqa: F401 - registers itself
        from authcore_django.settings import watch

        watch()
