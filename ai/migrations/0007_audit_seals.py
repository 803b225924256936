"""Seals for the audit log, and a database that refuses to change or delete either."""

from typing import Any

from django.db import migrations, models

from ai.models import kept


def protect(apps: Any, schema_editor: Any) -> None:
    """Only ever added to from now on."""
    kept.protect(schema_editor.connection)


def unprotect(apps: Any, schema_editor: Any) -> None:
    """As before."""
    kept.unprotect(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("ai", "0006_remote_sync")]

    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("number", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("entry_id", models.UUIDField(unique=True)),
                ("digest", models.CharField(max_length=64)),
            ],
            options={"db_table": "ai_audit_seal", "default_permissions": ()},
        ),
        migrations.RunPython(protect, unprotect, elidable=False),
    ]
