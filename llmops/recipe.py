"""Recipes: one TOML file that says what every stage does, validated whole before the first one runs."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from llmops.annotation.config import AnnotateConfig
from llmops.cleaning.config import CleanConfig
from llmops.collection.config import CollectConfig
from llmops.config import LOGIN
from llmops.errors import ConfigurationError
from llmops.evaluation.config import EvaluateConfig
from llmops.features.config import MaterializeConfig, MaterializeCustomersConfig
from llmops.foundation.config import ImportModelConfig
from llmops.governance.access.config import VerifyAccessConfig
from llmops.governance.config import GateConfig
from llmops.monitoring.interactions.config import StoreInteractionsConfig
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.config import PublishConfig
from llmops.redaction.config import RedactConfig
from llmops.screening.config import ScreeningCorpusConfig, TrainScreenConfig
from llmops.splitting.config import SplitConfig
from llmops.tagging.config import TrainTaggerConfig
from llmops.tokenization.config import TokenizeConfig
from llmops.training.config import FinetuneConfig
from llmops.tuning.config import TuneConfig


class Recipe(BaseModel):
    """One table per stage, and for canaries and the check of access; a table or key left out means the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collect: CollectConfig
    redact: RedactConfig = RedactConfig()
    clean: CleanConfig = CleanConfig()
    annotate: AnnotateConfig = AnnotateConfig()
    materialize_customers: MaterializeCustomersConfig = MaterializeCustomersConfig()
    split: SplitConfig = SplitConfig()
    import_model: ImportModelConfig
    tokenize: TokenizeConfig = TokenizeConfig()
    materialize: MaterializeConfig = MaterializeConfig()
    tune: TuneConfig = TuneConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    gate: GateConfig = GateConfig()
    publish: PublishConfig = PublishConfig()
    canary: CanaryConfig = CanaryConfig()
    access: VerifyAccessConfig = VerifyAccessConfig()
    store_interactions: StoreInteractionsConfig = StoreInteractionsConfig()
    make_screening_corpus: ScreeningCorpusConfig = ScreeningCorpusConfig()
    train_screen: TrainScreenConfig = TrainScreenConfig()
    train_tagger: TrainTaggerConfig = TrainTaggerConfig()

    @model_validator(mode="after")
    def _check_order_sources(self) -> Self:
        known = [source.name for source in self.collect.sources]
        for name in self.materialize_customers.sources:
            if name not in known:
                raise ValueError(
                    f"materialize_customers.sources: {name!r} is no source of [collect]; there are: {', '.join(known)}"
                )
        return self


def defaults() -> dict[str, Any]:
    """The tables that a command runs with when no recipe is given; stages without defaults for all keys are absent."""
    fields = Recipe.model_fields.items()
    return {name: field.default.model_dump(mode="json") for name, field in fields if not field.is_required()}


def load(path: Path) -> Recipe:
    """Read and validate a recipe.

    Raises ConfigurationError that names every wrong key or value, its place and, for unknown keys, the nearest name.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(str(file) for file in sorted(Path("recipes").glob("*.toml"))) or "none in recipes/"
        raise ConfigurationError(f"{path}: no such recipe; there are: {known}") from error
    except IsADirectoryError as error:
        raise ConfigurationError(f"{path}: a folder; give the TOML file itself") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from error
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}:\n" + "\n".join(_explain(item) for item in error.errors())) from error


def reason_of(item: Any) -> str:
    """What one of pydantic's errors says is wrong, with the value unless it is a whole table; no password in it."""
    reason, given = item["msg"].removeprefix("Value error, "), item["input"]
    return reason if isinstance(given, dict | list) else f"{reason} (got {LOGIN.sub('***@', repr(given))})"


def _explain(item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if not place:  # what concerns several tables names its place itself
        return f"  {reason_of(item)}"
    if item["type"] != "extra_forbidden":
        return f"  {place}: {reason_of(item)}"
    return f"  {place}: unknown key{_nearest(item['loc'])}"


def _nearest(location: tuple[str | int, ...]) -> str:
    """`; did you mean …?` for the closest key of the model that refused the last part of `location`."""
    model: Any = Recipe
    for part in location[:-1]:
        model = _child(model, part)
        if model is None:
            return ""
    close = difflib.get_close_matches(str(location[-1]), list(model.model_fields), n=1, cutoff=0.4)
    return f"; did you mean `{close[0]}`?" if close else f"; known keys: {', '.join(model.model_fields)}"


def _child(model: Any, part: str | int) -> Any:
    """The model that stands under `part`: a field's, or one of a tagged union's."""
    if isinstance(part, int):
        return model
    if isinstance(model, type) and issubclass(model, BaseModel):
        return _models_in(model.model_fields[part].annotation) if part in model.model_fields else None
    return next((kind for kind in model if part in kind.model_fields.get("kind").annotation.__args__), None)


def _models_in(annotation: Any) -> Any:
    """The one model within an annotation, or the list of a union's models."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found: list[Any] = []
    for argument in getattr(annotation, "__args__", ()):
        inner = _models_in(argument)
        found += inner if isinstance(inner, list) else [inner] if inner else []
    return found[0] if len(found) == 1 else found or None
