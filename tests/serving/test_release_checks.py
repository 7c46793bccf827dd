"""What is served is what was signed: anything else is refused with a message that says what and what to do."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from llmops import artifacts, signing
from llmops.annotation.prompts import TEMPLATE
from llmops.errors import (
    ConfigurationError,
    CorruptArtifactError,
    LlmopsError,
    MissingArtifactError,
    SignatureError,
)
from llmops.manifest import Manifest
from llmops.publishing.releases import ReleaseRecord
from llmops.settings import Settings
from serving.models import Models
from serving.releases import read_named
from serving.settings import ServingSettings
from tests.publishing.small_lake import make_adapter, make_decision, make_lake, publish
from tests.serving.conftest import open_champion


@pytest.fixture
def settings(published: Settings, tmp_path: Path) -> Settings:
    """A copy of the published lake that a test may damage."""
    shutil.copytree(published.home, tmp_path / "copy")
    home = tmp_path / "copy"
    keys = {"signing_key": home / "keys/signing.pem", "trusted_key": home / "keys/trusted.pem"}
    return published.model_copy(update={"home": home, "lake": str(home / "lake"), **keys})


def _release_file(settings: Settings, name: str) -> Path:
    (path,) = Path(settings.lake).glob(f"releases/*/attempt-*/{name}")
    return path


def _manifest_file(settings: Settings) -> Path:
    (path,) = Path(settings.lake).glob("releases/*/_manifest.json")
    return path


def _base_file(settings: Settings, name: str) -> Path:
    (path,) = Path(settings.lake).glob(f"models/tiny/attempt-*/{name}")
    return path


def _flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _open(settings: Settings) -> ReleaseRecord:
    with open_champion(settings) as release:
        return release.record


def test_an_untouched_release_is_served(settings: Settings) -> None:
    assert _open(settings).version.startswith("shop-assistant-2026-03-07-")


def test_the_engine_gets_a_private_copy_of_the_signed_files_alone(settings: Settings) -> None:
    with open_champion(settings) as release:
        names = {path.name for path in release.folder.iterdir()}
        folder = release.folder

    assert {"adapter_model.safetensors", "tokenizer.json", "release.json"} <= names
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        "adapter_model.safetensors",
        "adapter_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "release.json",
        "README.md",
        "decision.json",
        "dossier/bom.cdx.json",
        "dossier/data_card.json",
        "dossier/data_card.md",
        "dossier/lineage.json",
        "dossier/reports/evaluate/evaluation.json",
    ],
)
def test_a_flipped_byte_in_a_release_is_refused(settings: Settings, name: str) -> None:
    _flip_byte(_release_file(settings, name))

    with pytest.raises(CorruptArtifactError, match=f"{name} differs from its manifest"):
        _open(settings)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "generation_config.json"])
def test_a_flipped_byte_in_the_base_model_is_refused(settings: Settings, name: str) -> None:
    _flip_byte(_base_file(settings, name))

    with pytest.raises(CorruptArtifactError, match=f"{name} differs from its manifest"):
        _open(settings)


def test_base_weights_with_a_manifest_to_match_are_refused(settings: Settings) -> None:
    weights = _base_file(settings, "model.safetensors")
    _flip_byte(weights)
    forged = hashlib.sha256(weights.read_bytes()).hexdigest()
    manifest = Path(settings.lake, "models/tiny/_manifest.json")

    def forge(content: dict[str, Any]) -> None:
        (entry,) = [file for file in content["files"] if file["name"].endswith("/model.safetensors")]
        entry["sha256"] = forged

    _edit(manifest, forge)

    with pytest.raises(SignatureError, match=r"not the base model .*model\.safetensors"):
        _open(settings)


def test_every_flipped_byte_of_the_pointer_is_refused(settings: Settings) -> None:
    pointer = Path(settings.lake, "champion.json")
    content = pointer.read_bytes()

    for place in range(0, len(content), 7):
        flipped = bytearray(content)
        flipped[place] ^= 1
        if flipped.split() == content.split():
            continue  # white space
        pointer.write_bytes(flipped)
        with pytest.raises(LlmopsError, match=r"champion\.json"):
            _open(settings)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"counts": {"kept": 1}},
        {"config": {}},
        {"inputs": []},
        {"created_at": "2020-01-01T00:00:00Z"},
        {"signature": None},
        {"signature": "AAAA"},
    ],
)
def test_a_changed_manifest_is_refused(settings: Settings, change: dict[str, Any]) -> None:
    _edit(_manifest_file(settings), lambda content: content.update(change))

    with pytest.raises(SignatureError, match="publish"):
        _open(settings)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"stage": "publish"}'])
def test_a_damaged_manifest_or_pointer_is_refused(settings: Settings, content: bytes) -> None:
    for path in (_manifest_file(settings), Path(settings.lake, "champion.json")):
        path.write_bytes(content)
        with pytest.raises(CorruptArtifactError, match="damaged"):
            _open(settings)


def test_a_file_that_nobody_signed_is_refused(settings: Settings) -> None:
    folder = _release_file(settings, "adapter_model.safetensors").parent

    for place in (folder / "adapter_model.bin", folder.parent / "weights.pkl", folder / "below/model.pt"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"\x80\x04.")
        with pytest.raises(CorruptArtifactError, match=place.name):
            _open(settings)
        place.unlink()

    assert _open(settings)


def test_a_pickle_beside_the_base_model_is_refused(settings: Settings) -> None:
    _base_file(settings, "config.json").with_name("pytorch_model.bin").write_bytes(b"\x80\x04.")

    with pytest.raises(CorruptArtifactError, match=r"pytorch_model\.bin"):
        _open(settings)


def test_what_a_killed_attempt_left_behind_is_no_obstacle(settings: Settings) -> None:
    release = _manifest_file(settings).parent
    (release / "attempt-000000000000").mkdir()
    (release / "attempt-000000000000/adapter_model.safetensors").write_bytes(b"half")

    assert _open(settings)


def test_a_release_signed_with_another_key_is_refused(settings: Settings, tmp_path: Path) -> None:
    other = settings.model_copy(update={"signing_key": tmp_path / "a.pem", "trusted_key": tmp_path / "b.pem"})
    signing.create_keys(settings=other)

    with pytest.raises(SignatureError, match="signed with another key"):
        _open(other)


def test_an_unsigned_release_put_there_by_hand_is_not_served(settings: Settings) -> None:
    release = artifacts.find(str(_manifest_file(settings).parent))
    assert release is not None
    unsigned = release.model_copy(update={"signature": None, "digest": "1" * 64})
    _manifest_file(settings).write_text(unsigned.model_dump_json())
    _edit(Path(settings.lake, "champion.json"), lambda pointer: pointer.update(digest="1" * 64))

    with pytest.raises(SignatureError):
        _open(settings)


def test_a_pointer_to_another_signed_release_needs_its_own_signature(settings: Settings, adapter_folder: Path) -> None:
    pointer = Path(settings.lake, "champion.json")
    first = json.loads(pointer.read_text())
    with open_champion(settings):
        pass
    decision = make_decision(settings, adapter_folder, training_seed=1)
    pointer.unlink()
    publish(settings, decision)
    second = json.loads(pointer.read_text())

    pointer.write_text(json.dumps({**second, "release": first["release"], "digest": first["digest"]}))

    with pytest.raises(SignatureError, match=r"champion\.json"):
        _open(settings)


def test_a_release_of_another_template_is_not_rendered_with_this_one(
    tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path: Path
) -> None:
    settings = make_lake(tmp_path, tiny_model, empty_store)
    publish(settings, make_decision(settings, adapter_folder, templates=["support-0"]))

    with pytest.raises(ConfigurationError, match=rf"support-0.*{TEMPLATE}"):
        _open(settings)


def test_an_adapter_that_changes_nothing_is_refused(
    tiny_model: Manifest, tiny_model_folder: Path, empty_store: Path, tmp_path: Path
) -> None:
    make_adapter(tiny_model_folder, tmp_path / "zero", changes_answers=False)
    settings = make_lake(tmp_path / "home", tiny_model, empty_store)
    publish(settings, make_decision(settings, tmp_path / "zero"))

    with pytest.raises(CorruptArtifactError, match="changes nothing"):
        asyncio.run(Models(ServingSettings(platform=settings, engine="transformers")).follow())


def test_a_lake_without_champion_names_the_remedy(tmp_path: Path) -> None:
    settings = Settings(lake=str(tmp_path), trusted_key=tmp_path / "trusted.pem")

    with pytest.raises(MissingArtifactError, match="llmops publish"):
        _open(settings)


def test_a_missing_trusted_key_names_the_remedy(settings: Settings) -> None:
    settings.trusted_key.unlink()

    with pytest.raises(SignatureError, match="llmops create-keys"):
        _open(settings)


def test_a_release_that_is_gone_is_named(settings: Settings) -> None:
    shutil.rmtree(_manifest_file(settings).parent)

    with pytest.raises(MissingArtifactError, match="releases/shop-assistant"):
        _open(settings)


def _put_by_hand(settings: Settings, change: Callable[[Path], Any]) -> Path:
    """A copy of the release under another version, changed, as somebody might put it into the lake."""
    (release,) = Path(settings.lake).glob("releases/*")
    forged = release.with_name("shop-assistant-2026-03-08-deadbeef")
    shutil.copytree(release, forged)
    change(forged)
    return forged


def _other_weights(folder: Path) -> None:
    (weights,) = folder.glob("attempt-*/adapter_model.safetensors")
    _flip_byte(weights)
    forged = hashlib.sha256(weights.read_bytes()).hexdigest()
    manifest = folder / "_manifest.json"

    def forge(content: dict[str, Any]) -> None:
        (entry,) = [file for file in content["files"] if file["name"].endswith("/adapter_model.safetensors")]
        entry["sha256"] = forged
        content["digest"] = "2" * 64

    _edit(manifest, forge)


def test_a_release_that_lies_in_the_lake_and_is_not_named_is_not_served(settings: Settings) -> None:
    before = _open(settings).version

    _put_by_hand(settings, _other_weights)

    assert _open(settings).version == before


@pytest.mark.parametrize("signature", ["the champion's own", "none", "the forger's"])
@pytest.mark.parametrize("pointer", ["champion.json", "challenger.json"])
def test_a_pointer_that_was_written_by_hand_is_not_followed(
    settings: Settings, tmp_path: Path, pointer: str, signature: str
) -> None:
    forged = _put_by_hand(settings, _other_weights)
    keys = {"signing_key": tmp_path / "forger/a.pem", "trusted_key": tmp_path / "forger/b.pem"}
    signing.create_keys(settings=settings.model_copy(update=keys))
    champion = json.loads(Path(settings.lake, "champion.json").read_text())
    named = {**champion, "version": forged.name, "release": f"releases/{forged.name}", "digest": "2" * 64}
    named["sequence"] += 1
    if pointer == "challenger.json":
        del named["fallback"]
        named |= {"champion": champion["sequence"], "share": 0.9, "since": "2026-03-08T00:00:00Z", "config": {}}
    if signature == "none":
        named["signature"] = None
    elif signature == "the forger's":
        named["signature"] = signing.sign(json.dumps(named).encode(), keys["signing_key"])
    Path(settings.lake, pointer).write_text(json.dumps(named))

    with pytest.raises(SignatureError, match=pointer):
        read_named(settings)


def test_a_forged_folder_in_the_place_of_the_champions_is_not_served(settings: Settings) -> None:
    (release,) = Path(settings.lake).glob("releases/*")

    _other_weights(release)

    with pytest.raises(SignatureError, match="release"):
        read_named(settings)


def test_a_release_that_was_registered_in_mlflow_by_hand_is_not_served(settings: Settings) -> None:
    before = _open(settings).version
    forged = _put_by_hand(settings, _other_weights)
    store = f"sqlite:///{settings.home}/mlflow.db"
    client = MlflowClient(tracking_uri=store, registry_uri=store)
    made = client.create_model_version("shop-assistant", source=forged.as_uri(), tags={"artifact_digest": "2" * 64})
    client.set_registered_model_alias("shop-assistant", "champion", made.version)
    client.set_registered_model_alias("shop-assistant", "challenger", made.version)

    found = read_named(settings.model_copy(update={"tracking_uri": store}))

    assert client.get_model_version_by_alias("shop-assistant", "champion").source == forged.as_uri()
    assert (found.champion.record.version, found.challenger) == (before, None)
    assert _open(settings).version == before
