"""A candidate as a release that nobody has approved, in a lake of its own, for checks before publication.

Its keys are made with it and go with it: a service that trusts the real key serves none of this.
"""

from pathlib import Path

import fsspec

from llmops import artifacts, digests, signing, storage
from llmops.config import StageConfig
from llmops.errors import CorruptArtifactError
from llmops.manifest import Manifest
from llmops.publishing import pointers, releases
from llmops.publishing.pointers import Pointer
from llmops.publishing.releases import BaseModelRecord, ReleaseRecord
from llmops.publishing.stage import ADAPTER_FILES, is_of_tokenizer, template_of
from llmops.settings import Settings

_VERSION = "candidate"
_MODEL = "models/base"


def write_preview(adapter: Manifest, home: Path, settings: Settings) -> Settings:
    """Settings of a lake below `home` whose champion is the adapter; the base model is linked, not copied.

    Raises MissingArtifactError when something behind the adapter is gone, CorruptArtifactError when it was not made
    from a base model and features.
    """
    own = settings.model_copy(
        update={
            "home": home,
            "lake": str(home / "lake"),
            "signing_key": home / "keys/signing.pem",
            "trusted_key": home / "keys/trusted.pem",
            "pseudonym_key": home / "keys/pseudonym.key",
            "access_keys": home / "access/keys.json",
            "access_limit_storage": "async+memory://",
            "open_access": False,
        }
    )
    signing.create_keys(settings=own)
    behind = {item.stage: item for item in reversed([*artifacts.ancestors(adapter)])}
    model, features = (_required(adapter, behind, stage) for stage in ("import-model", "materialize"))
    _link(model, artifacts.join(own.lake, _MODEL))
    system = str(behind["annotate"].config["system"]) if "annotate" in behind else ""
    record = ReleaseRecord(
        version=_VERSION,
        as_of=features.day or adapter.created_at.date(),
        base=BaseModelRecord(
            path=_MODEL,
            digest=model.digest,
            licence=str(model.config["licence"]),
            files={file.name.split("/", 1)[1]: file.sha256 for file in model.files},
        ),
        adapter=adapter.digest,
        features=features.digest,
        template=template_of(features),
        system=system,
        max_new_tokens=16,
        temperature=0.0,
        scores={},
    )
    release = _write_release(adapter, model, record, own)
    path = releases.relative_to(own.lake, release.uri)
    pointers.write(
        Pointer(sequence=1, version=_VERSION, release=path, digest=release.digest), own.lake, own.signing_key
    )
    return own


def _required(adapter: Manifest, behind: dict[str, Manifest], stage: str) -> Manifest:
    if stage not in behind:
        raise CorruptArtifactError(f"{adapter.uri}: was not made from any output of `llmops {stage}`; make it again")
    return behind[stage]


def _write_release(adapter: Manifest, model: Manifest, record: ReleaseRecord, own: Settings) -> Manifest:
    uri = artifacts.join(own.lake, "releases", record.version)
    attempt = artifacts.begin(uri, stage="publish", version=1, config=StageConfig(), inputs=[adapter])
    for name in ADAPTER_FILES:
        attempt.write_bytes(name, artifacts.read_named(adapter, name))
    for name in artifacts.named_files(model):
        if is_of_tokenizer(name):
            attempt.write_bytes(name, artifacts.read_named(model, name))
    attempt.write_bytes(releases.RECORD, digests.canonical_json(record))
    return attempt.commit(sign=lambda manifest: signing.sign_manifest(manifest, own.signing_key))


def _link(model: Manifest, target: str) -> None:
    """The base model's artifact below another lake: a link to it, or a copy if it lies on another machine."""
    files, root = fsspec.url_to_fs(model.uri)
    place = Path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    if storage.is_local(files):
        place.symlink_to(Path(root).resolve(), target_is_directory=True)
    else:
        files.get(root, target, recursive=True)
