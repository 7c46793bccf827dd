"""Which action each command of the command line is: the matrix in `roles.py` then says whose role suffices.

A command that is not listed asks for an Admin, and `llmops access verify` reports it: what nobody thought about stays
closed. Commands that only compute on files which their caller could read anyway count as pipeline work.
"""

from collections.abc import Iterable, Mapping

from llmops.governance.access.roles import Action

_STAGES = (
    "annotate",
    "clean",
    "collect",
    "evaluate",
    "finetune",
    "gate",
    "generate-batch",
    "materialize",
    "materialize-customers",
    "redact",
    "split",
    "store-interactions",
    "tokenize",
    "tune",
)

COMMANDS: Mapping[str, Action] = {
    **dict.fromkeys(_STAGES, Action.RUN_PIPELINE),
    # A base model that is exchanged changes what is served: releases that stand on the old one do not verify any more.
    "import-model": Action.MANAGE_RELEASES,
    "publish": Action.MANAGE_RELEASES,
    "rollback": Action.MANAGE_RELEASES,
    "canary start": Action.MANAGE_RELEASES,
    "canary judge": Action.MANAGE_RELEASES,
    "canary watch": Action.MANAGE_RELEASES,
    "canary stop": Action.MANAGE_RELEASES,
    "canary show": Action.READ_REPORTS,
    "show-champion": Action.READ_REPORTS,
    "show-features": Action.READ_REPORTS,
    "show-customer": Action.READ_REPORTS,
    "show-interactions": Action.READ_REPORTS,
    "quarantine list": Action.READ_QUARANTINE,
    "quarantine show": Action.READ_QUARANTINE,
    "quarantine release": Action.RELEASE_QUARANTINE,
    "create-keys": Action.MANAGE_KEYS,
    "access create-key": Action.MANAGE_KEYS,
    "access list-keys": Action.MANAGE_KEYS,
    "access revoke-key": Action.MANAGE_KEYS,
    "access verify": Action.MANAGE_KEYS,  # it makes keys of every role, for as long as it looks
    "access airflow-roles": Action.READ_REPORTS,
    "access mlflow-config": Action.MANAGE_KEYS,  # it makes the password of MLflow's administrator
    "access check-passwords": Action.READ_REPORTS,
    "approve": Action.APPROVE_RELEASES,
    "erase": Action.ERASE_SUBJECT,
    "erasure verify": Action.READ_REPORTS,
    "erasure due": Action.READ_REPORTS,
    "erasure pseudonym": Action.ERASE_SUBJECT,  # it tells who a pseudonym is, to whoever can guess the name
    "audit show": Action.READ_REPORTS,
    "audit verify": Action.READ_REPORTS,
    "describe-decision": Action.READ_REPORTS,
    "make-screening-corpus": Action.RUN_PIPELINE,
    "train-screen": Action.RUN_PIPELINE,
    "train-tagger": Action.RUN_PIPELINE,
    "trace": Action.READ_REPORTS,
    "impact": Action.READ_REPORTS,
    "guard injection": Action.RUN_PIPELINE,
    "guard personal-data": Action.RUN_PIPELINE,
    "metrics": Action.RUN_PIPELINE,
}


def command_in(tokens: Iterable[str]) -> str:
    """The command that a command line names, as it is called in `COMMANDS` if it is there: one word or two."""
    first, *rest = [*tokens][:2]
    both = " ".join([first, *rest])
    return both if both in COMMANDS else first
