"""The Django app."""

from django.apps import AppConfig
from django.apps import apps as installed


class AIConfig(AppConfig):
    """Registers the model lookup of `ai.llm` and the system checks."""

    name = "ai"
    label = "ai"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import setting_changed
        from django.db import connections
        from django.db.models.signals import post_migrate

        from ai import checks, conf, llm  # noqa: F401
        from ai.models import roles
        from ai.models.language_models import find_spec
        from ai.models.statistics import tell_planner
        from ai.services import logins

        llm.set_source(find_spec)
        logins.connect()
        setting_changed.connect(lambda **_: conf.current.cache_clear(), weak=False, dispatch_uid="ai.conf")
        post_migrate.connect(
            lambda using, **_: tell_planner(connections[using]), sender=self, weak=False, dispatch_uid="ai.statistics"
        )
        post_migrate.connect(
            lambda using, apps=installed, **_: roles.make_again(apps, using=using),
            sender=self,
            weak=False,
            dispatch_uid="ai.roles",
        )
