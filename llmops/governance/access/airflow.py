"""The role matrix as Airflow's FAB auth manager understands it: roles with pairs of action and resource.

Names of actions and resources: `airflow.providers.fab.www.security.permissions` of the provider, 3.10.

The roles have names of their own. FAB's `User` and `Admin` are built in: it gives them back their permissions whenever
it starts, and its `User` may edit and delete every DAG.

What FAB cannot tell apart: whoever may start a DAG's runs may also pause that DAG. A Developer gets that for the DAGs
named in `DEVELOPERS_DAGS` alone, so neither erases people nor decides about releases. It is granted to the role and not
in the DAG files: their `access_control` goes with Airflow 4, and fails where the roles are not there yet.
"""

from collections.abc import Mapping
from typing import Any

from llmops.governance.access.roles import Action, Role, may

Pair = tuple[str, str]
ROLE_NAMES: Mapping[Role, str] = {
    Role.USER: "LlmopsUser",
    Role.DEVELOPER: "LlmopsDeveloper",
    Role.ADMIN: "LlmopsAdmin",
}
DEVELOPERS_DAGS: tuple[str, ...] = ("batch_inference", "llm_governance_review", "llmops_pipeline")
"""DAGs that are pipeline work: what they make is published by the gate alone. All others are for Admins to start."""


def _pairs(actions: str, *resources: str) -> frozenset[Pair]:
    return frozenset((action, resource) for resource in resources for action in actions.split())


_OWN = _pairs("can_read can_edit", "My Password", "My Profile") | _pairs("can_read", "Website")
GRANTS: Mapping[Action, frozenset[Pair]] = {
    Action.READ_REPORTS: _OWN
    | _pairs("can_read menu_access", "DAGs", "DAG Runs", "DAG Dependencies", "Task Instances", "Assets", "Jobs")
    | _pairs("can_read", "DAG Code", "DAG Versions", "DAG Warnings", "Task Logs", "XComs", "HITL Detail", "Backfills")
    | _pairs("can_read", "Asset Aliases", "ImportError", "Pools", "Cluster Activity")
    | _pairs("menu_access", "Browse", "Docs", "Documentation", "Cluster Activity"),
    # The first line counts only for DAGs that the role may edit.
    Action.RUN_PIPELINE: _pairs("can_create can_edit", "DAG Runs", "Task Instances", "Backfills")
    | _pairs("can_edit", *(f"DAG:{name}" for name in DEVELOPERS_DAGS)),
    Action.APPROVE_RELEASES: _pairs("can_edit", "HITL Detail"),
    Action.EDIT_PIPELINE: _pairs("can_edit can_delete", "DAGs")
    | _pairs("can_delete", "DAG Runs", "Task Instances", "Backfills")
    | _pairs("can_create can_read can_edit can_delete menu_access", "Variables", "Connections", "Pools")
    | _pairs("can_create can_edit can_delete menu_access", "XComs")
    | _pairs("can_create can_edit can_delete", "Assets")
    | _pairs("can_read menu_access", "Configurations", "Plugins", "Providers", "Triggers", "Audit Logs")
    | _pairs("menu_access", "Admin", "HITL Detail"),
    Action.MANAGE_KEYS: _pairs("can_create can_read can_edit can_delete", "Users", "Roles")
    | _pairs("can_read can_edit", "Passwords"),
}
"""What an action needs there; actions that are not named need nothing in Airflow."""


def permissions(role: Role) -> frozenset[Pair]:
    """Everything that a role is given; a User has nothing to do in Airflow."""
    return frozenset().union(*(pairs for action, pairs in GRANTS.items() if may(role, action)))


def exported_roles() -> list[dict[str, Any]]:
    """The roles as `airflow roles import` reads them: one entry per role and resource."""
    entries: list[dict[str, Any]] = []
    for role in Role:
        by_resource: dict[str, list[str]] = {}
        for action, resource in sorted(permissions(role)):
            by_resource.setdefault(resource, []).append(action)
        if not by_resource:
            entries.append({"name": ROLE_NAMES[role], "resource": "", "action": ""})
        for resource, actions in sorted(by_resource.items()):
            entries.append({"name": ROLE_NAMES[role], "resource": resource, "action": ",".join(actions)})
    return entries
