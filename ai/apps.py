"""The Django app."""

from django.apps import AppConfig


class AIConfig(AppConfig):
    """Registers the model lookup of `ai.llm` and the system checks."""

    name = "ai"
    label = "ai"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import setting_changed

        from ai import checks, conf, llm  # noqa: F401
        from ai.models.language_models import find_spec

        llm.set_source(find_spec)
        setting_changed.connect(lambda **_: conf.current.cache_clear(), weak=False, dispatch_uid="ai.conf")
