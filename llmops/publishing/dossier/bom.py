"""The bill of materials of a release, in CycloneDX 1.6 (ECMA-424) as an ML-BOM: model, base, data, software.

The software is what is installed where the release was made, with the licences that the packages declare. Nothing in
it is a clock: equal lineage in an equal environment gives equal bytes. What the library cannot express, the model card
of the machine-learning components, is added to its output; a test holds the whole against the schema.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from importlib import metadata
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from llmops.manifest import DataFile, Manifest
from llmops.publishing.lineage import Lineage
from llmops.publishing.releases import ReleaseRecord

_NAMESPACE = uuid.UUID("6f2f8a3e-7a0b-4c55-9d4f-0a3b5a1f7c11")
"""Of serial numbers: an arbitrary UUID that is this project's own (RFC 9562, section 5.5)."""
_LONGEST_LICENCE = 100
"""Some packages put a whole licence text where its name belongs."""


def render(record: ReleaseRecord, lineage: Lineage) -> bytes:
    """The document as JSON."""
    release = _model(record.version, "release", version=record.version, description="LoRA adapter on the base model")
    adapter = _model(
        "adapter", "adapter", version=lineage.adapter.digest, files=lineage.adapter.files, artifact=lineage.adapter
    )
    base = _model(
        record.base.path,
        "base",
        version=str(lineage.model.config.get("base_model", record.base.path)),
        files=lineage.model.files,
        artifact=lineage.model,
        licence=record.base.licence,
    )
    data = [_data(item) for item in (lineage.features, lineage.split, *lineage.days)]
    software = list(_software())
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, f"{record.version} {lineage.decision.digest}"),
        metadata=BomMetaData(component=release, timestamp=datetime.combine(record.as_of, time(), UTC)),
        components=[adapter, base, *data, *software],
    )
    bom.register_dependency(release, [adapter, base, *software])
    bom.register_dependency(adapter, [base, *data])
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    _add_model_cards(document, record, [str(item.bom_ref.value) for item in data])
    return json.dumps(document, indent=2, sort_keys=True).encode()


def _model(
    name: str,
    reference: str,
    *,
    version: str,
    description: str | None = None,
    files: tuple[DataFile, ...] = (),
    artifact: Manifest | None = None,
    licence: str | None = None,
) -> Component:
    return Component(
        name=name,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=reference,
        version=version,
        description=description,
        licenses=[_licence(licence)] if licence else None,
        properties=_properties(artifact) if artifact else None,
        components=[_file(reference, file) for file in files] or None,
    )


def _data(item: Manifest) -> Component:
    name = "/".join(item.uri.rstrip("/").rsplit("/", 2)[-2:])
    return Component(
        name=name,
        type=ComponentType.DATA,
        bom_ref=f"data:{name}",
        version=item.digest,
        properties=_properties(item),
    )


def _file(parent: str, file: DataFile) -> Component:
    name = file.name.split("/", 1)[1]
    digest = HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)
    return Component(name=name, type=ComponentType.FILE, bom_ref=f"{parent}/{name}", hashes=[digest])


def _properties(item: Manifest) -> list[Property]:
    return [Property(name="llmops:stage", value=item.stage), Property(name="llmops:digest", value=item.digest)]


def _software() -> Iterator[Component]:
    """Installed Python packages, by name."""
    found = {(each.name.lower(), each.version): each for each in metadata.distributions() if each.name}
    for name, version in sorted(found):
        licence = _declared(found[name, version].metadata)
        yield Component(
            name=name,
            type=ComponentType.LIBRARY,
            bom_ref=f"pkg:pypi/{name}@{version}",
            version=version,
            purl=PackageURL("pypi", name=name, version=version),
            licenses=[_licence(licence)] if licence else None,
        )


def _declared(about: Any) -> str | None:
    """The licence that a package declares: its SPDX expression (PEP 639), its short name, or its classifiers."""
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    stated = (about.get("License") or "").strip()
    if stated and len(stated) <= _LONGEST_LICENCE and "\n" not in stated and stated.upper() != "UNKNOWN":
        return stated
    classifiers = [line for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    names = sorted({line.rsplit(" :: ", 1)[-1] for line in classifiers} - {"OSI Approved"})
    return " AND ".join(names) if len(names) == 1 else " and ".join(names) or None


def _licence(stated: str) -> DisjunctiveLicense | LicenseExpression:
    """By its SPDX id or expression where it is one, by name otherwise."""
    return LicenseFactory().make_from_string(stated)


def _add_model_cards(document: dict[str, Any], record: ReleaseRecord, data: list[str]) -> None:
    """Task, data and figures of the release; CycloneDX's `modelCard`."""
    document["metadata"]["component"]["modelCard"] = {
        "modelParameters": {
            "task": "text-generation",
            "approach": {"type": "supervised"},
            "datasets": [{"ref": reference} for reference in data],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_figures(record.scores))},
    }


def _figures(scores: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for model, figures in (scores.get("models") or {}).items():
        for name, figure in (figures or {}).items():
            if isinstance(figure, Mapping) and "value" in figure:
                yield {
                    "type": name,
                    "slice": model,
                    "value": str(figure["value"]),
                    "confidenceInterval": {"lowerBound": str(figure["low"]), "upperBound": str(figure["high"])},
                }
