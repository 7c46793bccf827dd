"""Fifty ways to publish what was not decided on: each is refused, and nobody becomes champion.

The lake is a copy of one in which everything is ready to be published. A forger may write any file of it, and makes
hashes and manifests fit; what he lacks is the signing key.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from llmops import artifacts, signing
from llmops.config import StageConfig
from llmops.errors import ArtifactError, CorruptArtifactError, LlmopsError, Refused, SignatureError
from llmops.governance import seals
from llmops.governance.approval import approve_candidate
from llmops.manifest import Manifest
from llmops.publishing.releases import read_champion
from llmops.settings import Settings
from tests.publishing.small_lake import DAY, make_decision, make_lake, publish

FOLDERS = {
    "decision": "decisions/as_of=",
    "evaluation": "evaluations/as_of=",
    "adapter": "adapters/as_of=",
    "features": "features/as_of=",
    "tuning": "tuning/as_of=",
    "split": "splits/as_of=",
    "examples": "examples/ds=",
    "raw": "raw/ds=",
    "approval": "approvals/as_of=",
}


@dataclass
class Ready:
    """A lake in which one candidate is decided on and approved, and beside it another candidate's artifacts."""

    settings: Settings
    other: Path
    """Lake of another candidate that was made from other data."""

    def folder(self, name: str) -> Path:
        """The folder of an artifact."""
        if name == "model":
            return Path(self.settings.lake, "models/tiny")
        return Path(self.settings.lake, f"{FOLDERS[name]}{DAY}")

    def manifest(self, name: str) -> Manifest:
        """What stands there."""
        found = artifacts.find(str(self.folder(name)))
        assert found is not None
        return found

    def publish(self) -> Manifest:
        """What `llmops publish` makes of it."""
        return publish(self.settings, self.manifest("decision"), str(self.folder("approval")))


@pytest.fixture(scope="module")
def originals(
    tiny_model: Manifest, adapter_folder: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    homes = tmp_path_factory.mktemp("ready"), tmp_path_factory.mktemp("other")
    for seed, home in enumerate(homes):
        settings = in_production(make_lake(home, tiny_model, empty_store))
        decision = make_decision(settings, adapter_folder, training_seed=seed, templates=["support-2"] * (seed + 1))
        target = f"{settings.lake}/approvals/as_of={DAY}"
        approve_candidate(decision.uri, target, choice="approve", by="Grace", settings=settings)
    return homes


def in_production(settings: Settings) -> Settings:
    return settings.model_copy(update={"environment": "production", "require_approval": True})


@pytest.fixture
def ready(originals: tuple[Path, Path], tmp_path: Path) -> Ready:
    home, other = originals
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    for path in copy.rglob("_manifest.json"):  # inputs name where they lay
        text = path.read_text().replace(str(home), str(copy))
        path.write_text(text)
    settings = in_production(
        Settings(environment="development", home=copy, tracking_uri=f"sqlite:///{copy}/mlflow.db", log_format="json")
    )
    return Ready(resigned(settings), other / "lake")


def resigned(settings: Settings) -> Settings:
    """Decision and approval signed anew after the lake was moved, as the originals were: where inputs lie is signed."""
    lake = Path(settings.lake)
    decision = artifacts.find(str(lake / f"decisions/as_of={DAY}"))
    assert decision is not None
    evaluation = artifacts.find(str(lake / f"evaluations/as_of={DAY}"))
    assert evaluation is not None
    approval = artifacts.find(str(lake / f"approvals/as_of={DAY}"))
    assert approval is not None
    for item in (decision.model_copy(update={"seals": seals.behind([evaluation])}), approval):
        signed = item.model_copy(update={"signature": signing.sign_manifest(item, settings.signing_key)})
        Path(item.uri, "_manifest.json").write_text(signed.model_dump_json())
    return settings


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "_manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def replace_file(folder: Path, name: str, data: bytes) -> None:
    """Put other bytes in the place of a file, and their hash into the manifest."""
    (path,) = folder.glob(f"attempt-*/{name}")
    path.write_bytes(data)

    def make_it_fit(content: dict[str, Any]) -> None:
        (entry,) = [file for file in content["files"] if file["name"].endswith(f"/{name}")]
        entry.update(sha256=sha256(data).hexdigest(), bytes=len(data))

    edit_manifest(folder, make_it_fit)


def file_of(folder: Path, name: str) -> Path:
    (path,) = folder.glob(f"attempt-*/{name}")
    return path


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


Tamper = Callable[[Ready], Any]
FILES = {
    "decision": "decision.json",
    "evaluation": "evaluation.json",
    "adapter": "adapter_model.safetensors",
    "features": "part-00000.parquet",
    "approval": "approval.json",
    "model": "tokenizer.json",
}
CASES: dict[str, Tamper] = {}
for _name, _file in FILES.items():
    CASES |= {
        f"{_name}: file deleted": lambda ready, n=_name, f=_file: file_of(ready.folder(n), f).unlink(),
        f"{_name}: file edited": lambda ready, n=_name, f=_file: flip(file_of(ready.folder(n), f)),
    }
for _name in (*FOLDERS, "model"):
    CASES |= {
        f"{_name}: artifact deleted": lambda ready, n=_name: shutil.rmtree(ready.folder(n)),
        f"{_name}: manifest deleted": lambda ready, n=_name: (ready.folder(n) / "_manifest.json").unlink(),
        f"{_name}: counts in the manifest edited": lambda ready, n=_name: edit_manifest(
            ready.folder(n), lambda content: content.update(counts={"kept": 1})
        ),
    }
for _name in ("evaluation", "adapter", "features", "split", "decision", "approval"):
    CASES[f"{_name}: another candidate's in its place"] = lambda ready, n=_name: (
        shutil.rmtree(ready.folder(n)),
        shutil.copytree(ready.other / f"{FOLDERS[n]}{DAY}", ready.folder(n)),
    )
GOOD_SCORES = {"value": 1.0, "low": 1.0, "high": 1.0}
FORGED_SCORES = {"models": {"candidate": {"perplexity": GOOD_SCORES}}, "examples": 7, "answered_examples": 4}
CASES |= {
    "decision: forged with hash": lambda ready: replace_file(
        ready.folder("decision"), "decision.json", b'{"approved": true, "reasons": ["forged"]}'
    ),
    "decision: signature taken away": lambda ready: edit_manifest(
        ready.folder("decision"), lambda content: content.update(signature=None)
    ),
    "decision: seals taken away": lambda ready: edit_manifest(
        ready.folder("decision"), lambda content: content.update(seals=None)
    ),
    "decision: date made younger": lambda ready: edit_manifest(
        ready.folder("decision"), lambda content: content.update(created_at=datetime.now(UTC).isoformat())
    ),
    "evaluation: forged with hash": lambda ready: replace_file(
        ready.folder("evaluation"), "evaluation.json", json.dumps(FORGED_SCORES).encode()
    ),
    "evaluation: date made younger": lambda ready: edit_manifest(
        ready.folder("evaluation"), lambda content: content.update(created_at=datetime.now(UTC).isoformat())
    ),
    "adapter: other weights with hash": lambda ready: replace_file(
        ready.folder("adapter"), "adapter_model.safetensors", b"weights of somebody else"
    ),
    "approval: forged with hash": lambda ready: replace_file(
        ready.folder("approval"), "approval.json", b'{"choice": "approve", "by": "Mallory"}'
    ),
    "model: licence edited": lambda ready: edit_manifest(
        ready.folder("model"), lambda content: content["config"].update(licence="MIT")
    ),
}


def test_there_are_fifty_cases() -> None:
    assert len(CASES) >= 50


def test_an_untouched_candidate_is_published(ready: Ready) -> None:
    release = ready.publish()

    champion = read_champion(ready.settings.lake, ready.settings.trusted_key)
    assert champion is not None
    assert champion.release == release


@pytest.mark.parametrize("case", CASES)
def test_whatever_was_tampered_with_is_not_published(ready: Ready, case: str) -> None:
    CASES[case](ready)

    with pytest.raises((ArtifactError, SignatureError, Refused)):
        publish(ready.settings, _decision(ready), str(ready.folder("approval")))

    assert read_champion(ready.settings.lake, ready.settings.trusted_key) is None
    assert list(Path(ready.settings.lake).glob("releases/*/_manifest.json")) == []


def _decision(ready: Ready) -> Manifest:
    """What names the decision's place; the decision itself may be gone."""
    return Manifest.model_construct(uri=str(ready.folder("decision")))


def test_old_reports_are_not_published_on(ready: Ready) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=8)
    edit_manifest(ready.folder("evaluation"), lambda content: content.update(created_at=long_ago.isoformat()))
    resigned(ready.settings)  # as the gate itself would have sealed it

    with pytest.raises(Refused, match=r"evaluations.*8 days old"):
        ready.publish()


def test_a_report_that_is_demanded_and_missing_stops_publication(ready: Ready) -> None:
    with pytest.raises(Refused, match="without a report of owasp"):
        publish(
            ready.settings,
            ready.manifest("decision"),
            str(ready.folder("approval")),
            required_reports=("evaluate", "owasp"),
        )


def test_a_report_about_another_candidate_is_not_taken_for_this_ones(ready: Ready) -> None:
    lake, evaluation = Path(ready.settings.lake), ready.manifest("evaluation")
    shutil.copytree(ready.other / f"adapters/as_of={DAY}", lake / "adapters/as_of=2020-01-01")
    foreign = artifacts.find(str(lake / "adapters/as_of=2020-01-01"))
    assert foreign is not None
    foreign = foreign.model_copy(update={"inputs": ()})
    Path(foreign.uri, "_manifest.json").write_text(foreign.model_dump_json())
    reports = artifacts.begin(
        str(lake / "reports/owasp"), stage="owasp", version=1, config=StageConfig(), inputs=[foreign]
    )
    report = reports.write_bytes("report.json", b"{}").commit()
    content = artifacts.read_named(ready.manifest("decision"), "decision.json")
    attempt = artifacts.begin(
        str(ready.folder("decision")),
        stage="gate",
        version=1,
        config=StageConfig(),
        inputs=[evaluation, report],
        day=DAY,
    )
    key = ready.settings.signing_key
    attempt.write_bytes("decision.json", content).commit(
        seals=seals.behind([evaluation, report]), sign=lambda manifest: signing.sign_manifest(manifest, key)
    )

    with pytest.raises(CorruptArtifactError, match=r"reports/owasp: a report about .*as_of=2020-01-01"):
        ready.publish()


def test_a_decision_that_was_made_before_there_were_seals_names_the_remedy(ready: Ready) -> None:
    CASES["decision: signature taken away"](ready)

    with pytest.raises(LlmopsError, match=r"llmops gate.*--force"):
        ready.publish()
