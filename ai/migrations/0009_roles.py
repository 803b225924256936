"""The roles as groups: what each may do is a beginning, which an installation may change.

A role says what somebody may do; in which tenants is said by their memberships.
"""

from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = """
    view_chatthread view_message view_run view_runstep view_datasource download_datasource view_feedback view_assistant
    view_languagemodel view_modelroute view_vectorstore view_job view_syncconflict view_reviewqueue view_worker
"""
REVIEWER = f"{VIEWER} add_feedback change_feedback review_reviewqueue"
OPERATOR = f"""{REVIEWER}
    add_chatthread change_chatthread add_message change_message add_run change_run replay_run cancel_run cancel_job
    retitle_chatthread sync_chatthread decide_syncconflict view_remoteconnection test_remoteconnection test_languagemodel
    import_chatthread import_message import_run import_datasource import_feedback import_assistant
    export_chatthread export_message export_run export_datasource export_feedback export_assistant
    add_datasource change_datasource add_assistant change_assistant add_vectorstore change_vectorstore
"""
LEAD = f"""{OPERATOR}
    add_reviewqueue change_reviewqueue adjudicate_reviewqueue view_tenant view_auditentry
    delete_chatthread delete_message delete_datasource delete_assistant delete_vectorstore
    add_modelroute change_modelroute delete_modelroute
"""
AUDITOR = f"""{VIEWER}
    view_auditentry view_apikey view_remoteconnection view_tenant view_tenantmembership
    export_chatthread export_message export_run export_datasource export_feedback export_assistant
"""
ROLES = {"Viewer": VIEWER, "Reviewer": REVIEWER, "Operator": OPERATOR, "Lead": LEAD, "Auditor": AUDITOR}


def make(apps: Any, schema_editor: Any) -> None:
    """Make the groups; one that is there keeps what it has."""
    using = schema_editor.connection.alias
    # They are otherwise made when all migrations are done.
    create_permissions(installed.get_app_config("ai"), verbosity=0, using=using, apps=apps)
    permissions = apps.get_model("auth", "Permission").objects.using(using).filter(content_type__app_label="ai")
    known = {permission.codename: permission for permission in permissions}
    groups = apps.get_model("auth", "Group").objects.using(using)
    for name, codenames in ROLES.items():
        group, _ = groups.get_or_create(name=name)
        group.permissions.add(*(known[codename] for codename in codenames.split()))


class Migration(migrations.Migration):
    dependencies = [
        ("ai", "0008_review_queues"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
