"""The tenants' maps of models as CSV."""

from __future__ import annotations

from typing import Any

from ai.models import ModelRoute
from ai.resources.configuration import ConfigurationResource, refusing
from ai.services import model_routes
from ai.services.configuration import MODEL_ROUTES


class ModelRouteResource(ConfigurationResource):
    """Found by tenant and pattern, which is all that a line is known by."""

    table = MODEL_ROUTES
    natural = ("pattern",)

    class Meta(ConfigurationResource.Meta):
        model = ModelRoute

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The pattern is one, and there is such a model."""
        super().check(instance, is_new=is_new)
        with refusing():
            model_routes.check(instance)

    def write(self, instance: Any) -> None:
        """Through the service."""
        model_routes.save(
            tenant_id=instance.tenant_id, pattern=instance.pattern, alias=instance.alias, by=self.by, at=self.at
        )
