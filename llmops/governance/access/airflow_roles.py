"""Sets the roles of the matrix in Airflow's database; needs Airflow with its FAB provider in this environment."""

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

from llmops.governance.access.airflow import DAG_LEVEL_PREFIXES, ROLE_NAMES, permissions
from llmops.governance.access.roles import Role

_ALWAYS = ("can_read", "Website")
"""FAB gives it to every role when it starts."""


def apply_roles() -> list[str]:
    """Make each role exactly what the matrix says and tell what changed; nothing, when repeated.

    Permissions on single DAGs stay: those come from the DAG files.
    """
    changes: list[str] = []
    with get_application_builder() as builder:
        manager = builder.sm
        for role in Role:
            found = manager.find_role(ROLE_NAMES[role]) or manager.add_role(ROLE_NAMES[role])
            present = {(item.action.name, item.resource.name): item for item in found.permissions}
            wanted = permissions(role)
            for pair in sorted(wanted - set(present)):
                manager.add_permission_to_role(found, manager.create_permission(*pair))
                changes.append(f"{found.name}: + {pair[0]} on {pair[1]}")
            for pair in sorted(set(present) - wanted - {_ALWAYS}):
                if not pair[1].startswith(DAG_LEVEL_PREFIXES):
                    manager.remove_permission_from_role(found, present[pair])
                    changes.append(f"{found.name}: - {pair[0]} on {pair[1]}")
    return changes
