"""Which challenger is being tried: how a trial begins, is found again, takes its next step and ends.

All of it stands in the two signed pointers. Each step is one file written whole, so a controller may die anywhere.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from llmops import artifacts
from llmops.errors import CorruptArtifactError, Refused
from llmops.manifest import Manifest
from llmops.publishing import pointers, releases
from llmops.publishing.canary import decisions
from llmops.publishing.canary.config import CanaryConfig
from llmops.publishing.pointers import ChallengerPointer, Pointer
from llmops.publishing.releases import Champion
from llmops.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True)
class Trial:
    """A challenger that has not been decided on."""

    pointer: ChallengerPointer
    control: Pointer
    """The champion that it is compared with."""
    is_superseded: bool
    """Whether another one is champion by now; then there is nothing to be won any more."""

    @property
    def config(self) -> CanaryConfig:
        """What it has to prove."""
        return self.pointer.config


def find(settings: Settings) -> Trial | None:
    """The trial that is under way, or that a change of the champion has ended without anyone saying so yet.

    Raises CorruptArtifactError or SignatureError unless the pointers verify.
    """
    lake, key = settings.lake, settings.trusted_key
    pointer = pointers.read(ChallengerPointer, lake, key)
    if pointer is None or pointer.share == 0:
        return None
    champion = pointers.read(Pointer, lake, key)
    if champion is not None and champion.sequence == pointer.champion:
        return Trial(pointer, champion, is_superseded=False)
    if decisions.is_kept(lake, pointer.sequence, pointer.version):
        return None  # it has won
    control = pointers.read_former(pointer.champion, lake, key)
    if control is None:
        raise CorruptArtifactError(f"{lake}: champion {pointer.champion} is not recorded any more; restore champions/")
    return Trial(pointer, control, is_superseded=True)


def begin(
    release: Manifest, version: str, champion: Pointer, *, config: CanaryConfig, settings: Settings, now: datetime
) -> ChallengerPointer:
    """Name a signed release the challenger of this champion, with the first of its shares."""
    former = pointers.read(ChallengerPointer, settings.lake, settings.trusted_key)
    pointer = ChallengerPointer(
        sequence=former.sequence + 1 if former else 1,
        version=version,
        release=releases.relative_to(settings.lake, release.uri),
        digest=release.digest,
        champion=champion.sequence,
        share=config.shares[0],
        since=now,
        config=config,
    )
    pointer = pointers.write(pointer, settings.lake, settings.signing_key)
    log.info("canary.started", version=version, against=champion.version, share=pointer.share)
    return pointer


def set_share(trial: Trial, share: float, settings: Settings) -> None:
    """Let the challenger answer another share of the users; 0 ends the trial."""
    changes = {"share": share, "sequence": trial.pointer.sequence + 1}
    pointers.write(trial.pointer.model_copy(update=changes), settings.lake, settings.signing_key)


def refuse_unless_free(version: str, champion: Champion, settings: Settings) -> None:
    """Raise Refused when a challenger of this champion is being tried, or when this one has lost against it already."""
    trial = find(settings)
    if trial is not None and not trial.is_superseded:
        named = trial.pointer.version
        raise Refused(
            f"{named} is being tried already; `llmops canary show` says how it goes"
            if named == version
            else f"{named} is being tried; publish again when that is decided, or end it with `llmops canary stop`"
        )
    for decision in decisions.kept(settings.lake):
        is_this = decision["challenger"]["version"] == version
        if (
            is_this
            and decision["decision"] == "roll_back"
            and decision["champion"]["digest"] == champion.release.digest
        ):
            raise Refused(
                f"{version} was tried against {champion.record.version} and lost: {decision['reason']}; "
                f"`llmops canary start {version}` tries it again"
            )


def read_challenger(name: str, settings: Settings) -> Manifest:
    """The signed release of that version, or in that folder.

    Raises SignatureError or ArtifactError unless it verifies.
    """
    uri = name if "/" in name else artifacts.join(settings.lake, "releases", name)
    return releases.read_release(uri, settings.trusted_key)
