"""The dossier: what a reviewer needs to trust a release, in its folder under DOSSIER/ and so under its signature."""

from collections.abc import Iterator, Mapping, Sequence

from llmops import artifacts, digests
from llmops.manifest import Manifest
from llmops.publishing.dossier import bom, data_card
from llmops.publishing.lineage import Lineage
from llmops.publishing.releases import ReleaseRecord

_FOLDER = "dossier"
_READABLE = (".json", ".html", ".md", ".txt", ".svg", ".png")
"""What of a report is taken along: what a person or a program reads, and no program loads."""


def gather(
    record: ReleaseRecord,
    lineage: Lineage,
    reports: Sequence[Manifest],
    approval: Manifest | None,
    licences: Mapping[str, str],
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file.

    Data card, bill of materials, lineage, every report that the decision rests on, and the person's approval.
    """
    card = data_card.describe(lineage, licences)
    yield f"{_FOLDER}/data_card.json", digests.canonical_json(card)
    yield f"{_FOLDER}/data_card.md", data_card.render(card, record.version).encode()
    yield f"{_FOLDER}/bom.cdx.json", bom.render(record, lineage)
    yield f"{_FOLDER}/lineage.json", digests.canonical_json(_lineage(lineage))
    for report in reports:
        for name in artifacts.named_files(report):
            if name.endswith(_READABLE):
                yield f"{_FOLDER}/reports/{report.stage}/{name}", artifacts.read_named(report, name)
    if approval is not None:
        yield f"{_FOLDER}/approval.json", artifacts.read_named(approval, "approval.json")


def _lineage(lineage: Lineage) -> list[dict[str, object]]:
    """Every artifact behind the decision, nearest first, with what it was made from: it stays when the lake goes on.

    Places are left out: the lake may be mounted elsewhere.
    """
    chain = [lineage.decision, *artifacts.ancestors(lineage.decision, without=["publish"])]
    return [
        {"stage": item.stage, "day": item.day, "digest": item.digest, "inputs": [each.digest for each in item.inputs]}
        for item in chain
    ]
