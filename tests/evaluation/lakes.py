"""A lake with a signed champion, written without MLflow's mirror."""

import shutil
from datetime import date
from pathlib import Path

from llmops import artifacts, digests, signing
from llmops.annotation.prompts import TEMPLATE
from llmops.manifest import Manifest
from llmops.publishing import releases
from llmops.publishing.config import PublishConfig
from llmops.publishing.releases import BaseModelRecord, ReleaseRecord
from llmops.settings import Settings

DAY = date(2026, 3, 1)
VERSION = "support-assistant-2026-03-01"


def make_settings(home: Path) -> Settings:
    """An empty lake below `home`, with keys."""
    settings = Settings(
        home=home,
        lake=str(home / "lake"),
        signing_key=home / "keys/signing.pem",
        trusted_key=home / "keys/trusted.pem",
    )
    signing.create_keys(settings=settings)
    return settings


def make_champion(settings: Settings, adapter: Manifest, model: Manifest, *, name: str = "base") -> Manifest:
    """Release an adapter and point champion.json at it; its base model is copied into the lake as models/NAME."""
    uri = f"{settings.lake}/models/{name}"
    shutil.copytree(model.uri, uri)
    record = ReleaseRecord(
        version=VERSION,
        as_of=DAY,
        base=BaseModelRecord(path=f"models/{name}", digest=model.digest, licence="Apache-2.0", files={}),
        adapter=adapter.digest,
        features="",
        template=TEMPLATE,
        system="",
        max_new_tokens=8,
        temperature=0.0,
        scores={},
    )
    attempt = artifacts.begin(
        f"{settings.lake}/releases/{VERSION}", stage="publish", version=1, config=PublishConfig(), inputs=[]
    )
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        attempt.write_bytes(file, artifacts.read_named(adapter, file))
    attempt.write_bytes(releases.RECORD, digests.canonical_json(record))
    release = attempt.commit(sign=lambda manifest: signing.sign_manifest(manifest, settings.signing_key))
    releases.write_champion(settings.lake, release, VERSION, settings=settings)
    return release
