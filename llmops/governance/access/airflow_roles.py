"""Sets the roles of the matrix, and users who have them, in Airflow's database; needs Airflow and its FAB provider."""

from collections.abc import Mapping

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

from llmops.errors import ConfigurationError
from llmops.governance.access.airflow import ROLE_NAMES, permissions
from llmops.governance.access.logins import Login
from llmops.governance.access.roles import Role

_ALWAYS = ("can_read", "Website")
"""FAB gives it to every role when it starts."""


def apply_roles() -> list[str]:
    """Make each role exactly what the matrix says and tell what changed; nothing, when repeated."""
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
                manager.remove_permission_from_role(found, present[pair])
                changes.append(f"{found.name}: - {pair[0]} on {pair[1]}")
    return changes


def apply_users(logins: Mapping[Role, Login]) -> list[str]:
    """Create these users with their role alone and tell whom; one that exists keeps the password and gets the role.

    Passwords come from a file and not from arguments, which every account of the machine could read.
    """
    changes: list[str] = []
    with get_application_builder() as builder:
        manager = builder.sm
        for role, (name, password) in logins.items():
            wanted = manager.find_role(ROLE_NAMES[role])
            found = manager.find_user(username=name)
            if found is None:
                if not manager.add_user(name, name, name, f"{name}@localhost", wanted, password=password):
                    raise ConfigurationError(f"{name}: Airflow makes no such user; see its log above")
                changes.append(f"{name}: created as {wanted.name}")
            elif [item.name for item in found.roles] != [wanted.name]:
                found.roles = [wanted]
                manager.update_user(found)
                changes.append(f"{name}: now {wanted.name}")
    return changes
