"""The command line: one command per stage, imported only when it runs.

stdout carries the result alone (the URI of the artifact, or a table that was asked for); everything else, also what
libraries print, goes to stderr. Exit status: 0 done, 1 failed, 2 wrong usage, 75 not decided yet (ask again later), 77
not allowed to whoever asks (LLMOPS_ACCESS_KEY says who that is), 99 refused with a reason.
"""

import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, TextIO

import structlog
from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.config import Dict
from pydantic import ValidationError

from llmops import artifacts, audit, logs
from llmops.errors import (
    DENIED_STATUS,
    NOT_YET_STATUS,
    SKIPPED_STATUS,
    AccessDeniedError,
    ConfigurationError,
    CredentialError,
    LlmopsError,
    NotYet,
    Refused,
)
from llmops.governance.access import operators
from llmops.governance.access.privileges import COMMANDS
from llmops.manifest import Manifest
from llmops.recipe import defaults, load, reason_of
from llmops.settings import Settings

_STAGES = {
    "import-model": ("llmops.foundation.stage:import_model", "Bring a base model into the lake as safetensors."),
    "collect": ("llmops.collection.stage:collect_sources", "Collect one day of raw rows from all sources."),
    "redact": ("llmops.redaction.stage:redact_rows", "Take personal data out of the raw text."),
    "clean": ("llmops.cleaning.stage:clean_rows", "Normalise text and drop unusable and duplicate rows, with Spark."),
    "annotate": (
        "llmops.annotation.stage:annotate_rows",
        "Make annotated prompts: [Context] [Question] [Answer] ####.",
    ),
    "materialize-customers": (
        "llmops.features.customer_stage:materialize_customers",
        "Bring each customer's recent orders into Feast, for the service.",
    ),
    "split": ("llmops.splitting.stage:split_examples", "Join all days up to one into train, validation and test."),
    "tokenize": ("llmops.tokenization.stage:tokenize_examples", "Turn examples into token ids and attention masks."),
    "materialize": (
        "llmops.features.stage:materialize_features",
        "Store token features in Feast; retrieve the training set.",
    ),
    "tune": ("llmops.tuning.stage:tune_hyperparameters", "Search hyper-parameters with short QLoRA trials."),
    "finetune": ("llmops.training.stage:finetune_adapter", "Fine-tune a LoRA adapter on the 4-bit base (QLoRA)."),
    "evaluate": (
        "llmops.evaluation.stage:evaluate_candidate",
        "Score candidate, untuned model and champion on the test part.",
    ),
    "gate": ("llmops.governance.stage:gate_candidate", "Decide whether the candidate may be published, and why."),
    "approve": ("llmops.governance.approval:approve_candidate", "Record that a person approves a decision, or not."),
    "publish": ("llmops.publishing.stage:publish_release", "Sign a release and make it the champion."),
    "store-interactions": (
        "llmops.monitoring.interactions.stage:store_interactions",
        "Store one day of consented exchanges and of what users said about them.",
    ),
}
_TOOLS = {
    "train-tagger": (
        "llmops.tagging.stage:train_tagger",
        "Train the tagger of names and addresses that the guards ship with.",
    ),
    "create-keys": (
        "llmops.signing:create_keys",
        "Create the keys that sign and verify releases and make pseudonyms.",
    ),
    "erase": (
        "llmops.governance.erasure.commands:erase",
        "Erase a person from every store, for good, and leave a certificate.",
    ),
    "generate-batch": ("serving.batch:generate_batch", "Answer a table of questions with the champion."),
    "metrics": ("llmops.evaluation.metrics:compute_metrics", "Compute metrics on JSON lines of predictions."),
    "show-champion": ("llmops.publishing.releases:show_champion", "Show what is served, after verifying it."),
    "make-screening-corpus": (
        "llmops.screening.stage:make_screening_corpus",
        "Gather labelled texts for the screen of injection: generated, and public sets by path.",
    ),
    "train-screen": ("llmops.screening.stage:train_screen", "Train the classifier of the screen of injection."),
    "rollback": ("llmops.publishing.rollback:rollback", "Make the champion of before the champion again."),
    "describe-decision": (
        "llmops.governance.approval:describe_decision",
        "Show what there is to approve: the decision with its reasons, and where its reports lie.",
    ),
    "trace": ("llmops.governance.lineage.commands:trace", "Show what an answer rests on, down to the source files."),
    "impact": ("llmops.governance.lineage.commands:impact", "Show what came of a row or of a person's rows."),
    "show-customer": ("llmops.features.online:show_customer", "Show what the service knows of a customer's orders."),
    "show-interactions": (
        "llmops.monitoring.interactions.show:show_interactions",
        "Show one stored day of exchanges and feedback; text only on request.",
    ),
    "show-features": ("llmops.features.online:show_features", "Read the online features of one example."),
}

app = App(name="llmops", result_action="return_value", help=__doc__)
_PIPELINE, _BESIDE = Group.create_ordered("Stages, in the order of the pipeline"), Group.create_ordered("Tools")
for _group, _commands in ((_PIPELINE, _STAGES), (_BESIDE, _TOOLS)):
    for _place, (_name, (_target, _help)) in enumerate(_commands.items()):
        app.command(_target, name=_name, help=_help, group=_group, sort_key=_place)
app.command("llmops.quarantine:app", name="quarantine", help="Look at rows that were set aside.", group=_BESIDE)
app.command("llmops.governance.audit:app", name="audit", help="The log of privileged actions.", group=_BESIDE)
app.command("llmops.guards.commands:app", name="guard", help="Ask the guards about texts.", group=_BESIDE)
app.command(
    "llmops.governance.erasure.commands:app", name="erasure", help="What erasures did and leave to do.", group=_BESIDE
)
app.command(
    "llmops.governance.access.commands:app",
    name="access",
    help="Who may do what: keys, and whether it holds.",
    group=_BESIDE,
)
app.command(
    "llmops.publishing.canary.commands:app",
    name="canary",
    help="Try a release on part of the traffic before it becomes champion.",
    group=_BESIDE,
)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    recipe: Path | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> Any:
    """Run one command.

    Parameters
    ----------
    recipe
        TOML file with the configuration of every stage; flags win over it.
    force
        Recompute although an equal artifact stands at the target.
    """
    settings = _read_settings()
    logs.configure(settings.log_format)
    # Who may not run a command is told before anything that it was given is read, however wrong that is.
    operator = None if _seems_harmless(tokens) else operators.admit(tokens, settings)
    tables = defaults() if recipe is None else load(recipe).model_dump(mode="json", exclude_none=True)
    app.config = (Dict(arguments_from(tables), source=str(recipe or "defaults")),)
    command, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if getattr(command, "__func__", None) in {App.help_print, App.version_print}:
        return command(*bound.args, **bound.kwargs)
    operator = operator or operators.admit(tokens, settings)  # what looked harmless was not
    given = {name: settings for name, kind in ignored.items() if kind is Settings}
    privilege = "force" if force else "recollect" if bound.arguments.get("recollect") else None
    what = f"{''.join(tokens[:1])} {bound.arguments.get('target', '')}".strip()
    with (
        artifacts.recomputing() if force else nullcontext(),
        audit.recorded(privilege, what, settings) if privilege else nullcontext(),
        structlog.contextvars.bound_contextvars(stage="".join(tokens[:1]), run_id=uuid.uuid4().hex[:12]),
        operators.acting(operator),
    ):
        return command(*bound.args, **bound.kwargs, **given)


def _seems_harmless(tokens: tuple[str, ...]) -> bool:
    """Whether words ask for help, name a group alone, or no command at all; whatever runs after all is checked then."""
    if {"--help", "-h", "--version"} & set(tokens) or not tokens or tokens[0] not in [*app]:
        return True
    return len(tokens) == 1 and any(name.startswith(f"{tokens[0]} ") for name in COMMANDS)


def arguments_from(tables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a recipe's tables give to each command: its own one, and that of what it does on behalf of.

    The search gets that of the training it is for, publication that of the canary it may start.
    """
    arguments: dict[str, dict[str, Any]] = {name.replace("_", "-"): {"config": table} for name, table in tables.items()}
    arguments["tune"]["training"] = tables["finetune"]
    arguments["publish"]["canary"] = tables["canary"]
    arguments["canary"] = {"start": {"config": tables["canary"]}}
    arguments["access"] = {"verify": {"config": tables["access"]}}
    return arguments


def main() -> None:
    """Entry point of the `llmops` script."""
    result_stream = _stdout_for_results_only()
    try:
        result = app.meta(exit_on_error=False, print_error=False, result_action="return_value")
    except Refused as refusal:
        print(f"not done: {refusal}", file=sys.stderr)
        sys.exit(SKIPPED_STATUS)
    except NotYet as waiting:
        print(f"not yet: {waiting}", file=sys.stderr)
        sys.exit(NOT_YET_STATUS)
    except (AccessDeniedError, CredentialError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(DENIED_STATUS)
    except CycloptsError as error:
        for problem in _problems(error):
            print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except LlmopsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    if result is not None:
        print(result.uri if isinstance(result, Manifest) else result, file=result_stream, flush=True)


def _read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        wrong = [
            f"LLMOPS_{str(item['loc'][0]).upper()}: {reason_of(item)}"
            for item in error.errors()
            if item["type"] != "default_factory_not_called"  # only says that another one is wrong
        ]
        raise ConfigurationError("\nerror: ".join(wrong)) from error


def _problems(error: CycloptsError) -> Iterator[str]:
    """What is wrong with the flags, by the names that they are given with."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError) or error.argument is None:
        return iter([str(error)])
    found: dict[str, str] = {}
    for item in cause.errors():
        names = [part.replace("_", "-") for part in item["loc"] if isinstance(part, str)]
        found.setdefault(".".join([error.argument.name, *names]), reason_of(item))  # of a list, its items come first
    return (f"{flag}: {reason}" for flag, reason in found.items())


def _stdout_for_results_only() -> TextIO:
    """Point file descriptor 1 at stderr, where Java and C libraries may print, and return the real stdout."""
    if {"--help", "-h", "--version"} & set(sys.argv[1:]) or len(sys.argv) == 1:
        return sys.stdout
    real = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return real
