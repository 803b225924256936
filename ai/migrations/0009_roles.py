"""The roles as groups (`ai.models.roles`)."""

from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

from ai.models import roles


def make(apps: Any, schema_editor: Any) -> None:
    """Make the groups; one that is there keeps what it has."""
    using = schema_editor.connection.alias
    # They are otherwise made when all migrations are done.
    create_permissions(installed.get_app_config("ai"), verbosity=0, using=using, apps=apps)
    roles.make(apps, using=using)


class Migration(migrations.Migration):
    dependencies = [
        ("ai", "0008_review_queues"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
