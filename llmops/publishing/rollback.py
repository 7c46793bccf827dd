"""`llmops rollback`: make the champion of before the champion again."""

from typing import Annotated

import structlog
from cyclopts import Parameter

from llmops import artifacts, audit
from llmops.errors import Refused, SignatureError
from llmops.publishing import pointers, releases
from llmops.publishing.pointers import Pointer
from llmops.settings import Settings

log = structlog.get_logger()


def rollback(*, settings: Annotated[Settings, Parameter(parse=False)]) -> str:
    """Name the champion that the present one replaced; run again, the one before that.

    Running services take it over within seconds, without a dropped request. A challenger that is being tried ends with
    it. Raises Refused when there is nothing to go back to, SignatureError or ArtifactError when the release of before
    does not verify.
    """
    with audit.recorded("rollback", settings.lake, settings) as outcome:
        outcome.detail = _roll_back(settings)
    return outcome.detail


def _roll_back(settings: Settings) -> str:
    lake, key = settings.lake, settings.trusted_key
    present = pointers.read(Pointer, lake, key)
    if present is None or present.fallback is None:
        raise Refused(f"{lake}: no champion before the present one")
    former = pointers.read_former(present.fallback, lake, key)
    if former is None:
        raise Refused(f"{lake}: champion {present.fallback} is not recorded any more")
    release = releases.read_release(artifacts.join(lake, former.release), key)
    if release.digest != former.digest:
        raise SignatureError(f"{release.uri}: holds {release.digest[:12]}, but {former.digest[:12]} was champion")
    again = former.model_copy(update={"sequence": present.sequence + 1})
    pointers.write(again, lake, settings.signing_key)

    # MLflow takes 3 CPU seconds to import: what has to be quick is done by now.
    from llmops.publishing.registry import point_alias  # noqa: PLC0415 - see above

    point_alias(release, tracking_uri=settings.tracking_uri)
    log.warning("champion.rolled_back", before=present.version, now=again.version, sequence=again.sequence)
    return f"{again.version} is champion again, in place of {present.version}"
