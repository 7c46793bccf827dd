"""Seals: what a decision rests on, fixed so that `llmops publish` notices any change.

A seal is the hash of an artifact's manifest, which holds the hashes of its files. An artifact that is made anew with
equal content has another manifest, and so breaks the seal too: then the decision has to be taken again.
"""

from collections.abc import Sequence
from pathlib import Path

from llmops import artifacts, digests, signing
from llmops.errors import MissingArtifactError, SignatureError
from llmops.manifest import Manifest


def behind(reports: Sequence[Manifest]) -> dict[str, str]:
    """The seal of each report and of everything that it was made from, by digest.

    A champion that was only compared with is left out: its data may have changed since it was published. So is what
    cannot be found any more: without its seal nothing is published.
    """
    found: dict[str, str] = {}
    for report in reports:
        found[report.digest] = digests.of_manifest(report)
        try:
            for item in artifacts.ancestors(report, without=["publish"]):
                found[item.digest] = digests.of_manifest(item)
        except MissingArtifactError:
            continue
    return found


def holds(decision: Manifest, sealed: dict[str, str], trusted_key: Path) -> bool:
    """Whether a decision that was taken before is signed and still about these very artifacts."""
    try:
        signing.verify_manifest(decision, trusted_key)
    except SignatureError:
        return False
    return decision.seals == sealed
