"""Features of one example by key, as a service would read them."""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from llmops.errors import MissingArtifactError
from llmops.features.log import read_log
from llmops.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore


def read_online(settings: Settings, example_id: str, tokenizer: str) -> dict[str, Any] | None:
    """The online features of one example: keys, features and `event_time`; None when the store has none.

    `tokenizer` is a tokenizer's fingerprint. The first call imports Feast (10 CPU seconds), later ones take 1 ms.
    """
    from llmops.features.store import read_online as read  # noqa: PLC0415 - see above

    (found,) = read(_open(settings), [(example_id, tokenizer)])
    return found if found["event_time"] is not None else None


def show_features(
    example_id: str,
    *,
    tokenizer: str = "",
    settings: Annotated[Settings, Parameter(parse=False)],
) -> str:
    """Print what the online store holds of one example: ids and counts, no text.

    Parameters
    ----------
    example_id
        row_id of the example.
    tokenizer
        Fingerprint of the tokenizer; the one last used on this example if left out.
    """
    found = read_online(settings, example_id, tokenizer or _last_tokenizer(settings, example_id))
    if found is None:
        raise MissingArtifactError(
            f"{example_id}: no online features with tokenizer {tokenizer}; leave --tokenizer out, or run "
            "`llmops materialize` first"
        )
    lines = {
        **{name: found[name] for name in ("example_id", "tokenizer", "part", "source", "template")},
        "event_time": found["event_time"].isoformat(),
        "tokens": f"{len(found['token_ids'])}, of which {found['prompt_tokens']} prompt",
        "token_ids": " ".join(str(token) for token in found["token_ids"]),
    }
    return "\n".join(f"{name:<12}{value}" for name, value in lines.items())


def _last_tokenizer(settings: Settings, example_id: str) -> str:
    logged = read_log(settings.lake, ["example_id", "tokenizer", "created"], example_id)
    if logged.num_rows == 0:
        raise MissingArtifactError(
            f"{example_id}: no such example in the feature store; run `llmops materialize` first"
        )
    last: str = logged.sort_by("created")["tokenizer"][-1].as_py()
    return last


@lru_cache(maxsize=4)
def _open(settings: Settings) -> "FeatureStore":
    from llmops.features.store import open_store  # noqa: PLC0415 - Feast, as above

    return open_store(settings)
