"""Which tokenizer made a row of ids: equal fingerprints mean equal ids for equal text."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from llmops import digests
from llmops.errors import TrainingError
from llmops.manifest import DataFile

_FILES = {
    "added_tokens.json",
    "chat_template.jinja",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
}


def fingerprint_tokenizer(files: Iterable[DataFile]) -> str:
    """32 hexadecimal digits over the tokenizer's files among `files`, the chat template included.

    Raises TrainingError when there is none.
    """
    hashes = sorted([name, file.sha256] for file in files if (name := PurePosixPath(file.name).name) in _FILES)
    if not hashes:
        raise TrainingError("the model holds no tokenizer files; import it again with `llmops import-model --force`")
    return digests.of_json(hashes)[:32]
