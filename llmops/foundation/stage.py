"""`llmops import-model`: brings a base model into the lake, once, as safetensors with tokenizer and chat template."""

from llmops import artifacts
from llmops.foundation import layout
from llmops.foundation.config import ImportModelConfig
from llmops.foundation.sources import parse_source
from llmops.manifest import Manifest


def import_model(target: str, *, config: ImportModelConfig) -> Manifest:
    """Write a model folder in transformers' layout; `manifest.counts["parameters"]` says how large the model is.

    The digest is that of the files, wherever they came from. Raises ConfigurationError when the model is not there or
    is not pinned, TrainingError when it has no safetensors, chat template or end token, or carries executable weights.
    """
    source = parse_source(config)
    # The model counts by its hashes, wherever it lies: `base_model` itself does not count.
    attempt = artifacts.begin(
        target,
        stage="import-model",
        version=1,
        config=config,
        depends_on=source.hashes(),
        places={"base_model"},
    )
    if attempt.committed:
        return attempt.committed

    folder = attempt.local_folder()
    source.write_to(folder)
    layout.check(folder, config.base_model)
    layout.forget_origin(folder)
    return attempt.commit(counts={"parameters": layout.count_parameters(folder)}, by_content=True)
