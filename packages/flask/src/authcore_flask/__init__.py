"""authcore in Flask: `AuthCore(app, auth)` mounts it, `@require()` guards a view, `current_user` is who asks."""

from authcore_flask.guards import calls, current_session, current_user, guard, require, set_cookies, until_ended
from authcore_flask.mount import AuthCore

__all__ = ["AuthCore", "calls", "current_session", "current_user", "guard", "require", "set_cookies", "until_ended"]
