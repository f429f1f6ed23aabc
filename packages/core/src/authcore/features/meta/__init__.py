"""What is always there: the OpenAPI document and the health of the service."""

from authcore.feature import Feature
from authcore.features.meta.routes import ROUTES


class Meta(Feature):
    """Serve `/openapi.json` and `/health`."""

    name = "meta"
    routes = ROUTES
