"""The roles: what each may do is a beginning, which an installation may change.

A role says what somebody may do; in which tenants is said by their memberships.
"""

from __future__ import annotations

from typing import Any

VIEWER = """
    view_chatthread view_message view_run view_runstep view_datasource download_datasource view_feedback view_assistant
    view_languagemodel view_modelroute view_vectorstore view_job view_syncconflict view_reviewqueue view_worker
"""
REVIEWER = f"{VIEWER} add_feedback change_feedback suggest_feedback review_reviewqueue comment_message"
OPERATOR = f"""{REVIEWER}
    add_chatthread change_chatthread add_message change_message add_run change_run replay_run cancel_run cancel_job
    retitle_chatthread sync_chatthread decide_syncconflict view_remoteconnection test_remoteconnection test_languagemodel
    import_chatthread import_message import_run import_datasource import_feedback import_assistant
    export_chatthread export_message export_run export_datasource export_feedback export_assistant
    add_datasource change_datasource add_assistant change_assistant add_vectorstore change_vectorstore share_savedview
"""
LEAD = f"""{OPERATOR}
    add_reviewqueue change_reviewqueue adjudicate_reviewqueue view_tenant view_auditentry export_auditentry
    delete_chatthread delete_message delete_datasource delete_assistant delete_vectorstore
    add_modelroute change_modelroute delete_modelroute delete_savedview
    moderate_comment view_webhook add_webhook change_webhook delete_webhook view_webhookdelivery
"""
AUDITOR = f"""{VIEWER}
    view_auditentry export_auditentry view_apikey view_remoteconnection view_tenant view_tenantmembership
    export_chatthread export_message export_run export_datasource export_feedback export_assistant
"""
ROLES = {"Viewer": VIEWER, "Reviewer": REVIEWER, "Operator": OPERATOR, "Lead": LEAD, "Auditor": AUDITOR}


def make(apps: Any, *, using: str) -> None:
    """Make the groups, with the permissions that are there; a group that is there keeps what it has."""
    permissions = apps.get_model("auth", "Permission").objects.using(using).filter(content_type__app_label="ai")
    known = {permission.codename: permission for permission in permissions}
    groups = apps.get_model("auth", "Group").objects.using(using)
    for name, codenames in ROLES.items():
        group, _ = groups.get_or_create(name=name)
        group.permissions.add(*(known[codename] for codename in codenames.split() if codename in known))


def make_again(apps: Any, *, using: str) -> None:
    """Make the groups where there is none at all: the database was emptied."""
    if not apps.get_model("auth", "Group").objects.using(using).exists():
        make(apps, using=using)


def add(apps: Any, *codenames: str, using: str) -> None:
    """Give permissions that are new to the roles they belong to; a role that an installation has removed stays away."""
    permissions = apps.get_model("auth", "Permission").objects.using(using).filter(content_type__app_label="ai")
    known = {permission.codename: permission for permission in permissions.filter(codename__in=codenames)}
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=ROLES):
        group.permissions.add(*(known[name] for name in ROLES[group.name].split() if name in known))
