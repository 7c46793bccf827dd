"""All of what may be done by whom, in one digest: a report about another policy is about another one."""

from llmops import digests
from llmops.governance.access.airflow import GRANTS
from llmops.governance.access.privileges import COMMANDS
from llmops.governance.access.roles import MATRIX
from llmops.governance.access.routes import PROBES


def digest_of_policy() -> str:
    """Changes with the matrix and with what routes, commands and Airflow's permissions it is applied to."""
    return digests.of_json(
        {
            "matrix": {action.value: sorted(roles) for action, roles in MATRIX.items()},
            "commands": {name: action.value for name, action in COMMANDS.items()},
            "routes": [[probe.name, probe.action.value if probe.action else None] for probe in PROBES],
            "airflow": {action.value: sorted(map(list, pairs)) for action, pairs in GRANTS.items()},
        }
    )
