"""What is always there: the OpenAPI document, the public keys and the health of the service."""

from authcore.feature import Feature
from authcore.features.meta.routes import ROUTES


class Meta(Feature):
    """Serve `/openapi.json`, `/.well-known/jwks.json` and `/health`."""

    name = "meta"
    routes = ROUTES
