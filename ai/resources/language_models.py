"""Language models as CSV, without their keys."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from ai.models import LanguageModel
from ai.resources.cells import CellWidget
from ai.resources.configuration import InstallationResource, refusing
from ai.services import language_models
from ai.services.configuration import LANGUAGE_MODELS, SECRET_SETTINGS, public_settings


class SettingsWidget(CellWidget):
    """Shows settings without what may be secret: a preview shows what was there before."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """The settings as a cell."""
        return super().render(public_settings(value), obj, **kwargs)


class LanguageModelResource(InstallationResource):
    """Found by id, or by alias. A row that is here keeps its key and its headers, unless it goes to another server."""

    table = LANGUAGE_MODELS
    natural = ("alias",)

    class Meta(InstallationResource.Meta):
        model = LanguageModel

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["settings"].widget = SettingsWidget(self.table.by_name["settings"])

    def import_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        """Take the row's values.

        Raises:
            ValidationError.
        """
        self._place = language_models.place(instance)
        self._secret = {name: instance.settings[name] for name in SECRET_SETTINGS & instance.settings.keys()}
        super().import_instance(instance, row, **kwargs)

    def check(self, instance: Any, *, is_new: bool) -> None:
        """The values fit, and the model may live where it is said to."""
        self._keep_secrets(instance, is_new=is_new)
        instance.clean()
        super().check(instance, is_new=is_new)
        with refusing():
            language_models.check(instance)

    def _keep_secrets(self, instance: Any, *, is_new: bool) -> None:
        """Let no file bring headers, and none that are here go to a server that they were not meant for."""
        if not isinstance(instance.settings, dict):
            raise ValidationError({"settings": 'Write the settings as a JSON object, such as {"temperature": 0.2}.'})
        if "settings" in self._headers and SECRET_SETTINGS & instance.settings.keys():
            raise ValidationError({"settings": "Headers may hold keys: set them on the model's own page."})
        if is_new or self._place == language_models.place(instance):
            instance.settings = {**instance.settings, **self._secret}
            return
        instance.settings = public_settings(instance.settings)
        if instance.encrypted_key or self._secret:
            said = f"“{instance.alias}” goes to another server, so its stored key and headers are forgotten."
            self.notes.append(f"{said} Enter the key again.")

    def write(self, instance: Any) -> None:
        """Through the service, which sees to the key."""
        language_models.save(row=instance, by=self.by, at=self.at)
