"""An erasure that is killed anywhere and run again ends as one that was not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.publishing.releases import read_champion
from tests.governance.erasure import killing, shop
from tests.governance.erasure.conftest import Site
from tests.governance.erasure.reading import Reader, kari_ids, manifests, needles
from tests.governance.erasure.shop import KARI

_MOMENTS = [
    ("append_to_log", "return", 1),  # rows twice in Feast's log
    ("_mask", "return", 5),
    ("put", "return", 12),  # amid an artifact's files
    ("_delete", "call", 3),  # the new manifest stands, the old files as well
    ("rewrite", "return", 16),  # the last raw day is left
    ("write", "return", 1),  # the certificate stands, the journal as well
]


@pytest.mark.slow
@pytest.mark.parametrize(("function", "event", "times"), _MOMENTS)
def test_a_rerun_ends_as_if_nothing_had_been_killed(site: Site, function: str, event: str, times: int) -> None:
    settings, ids = site.settings, kari_ids(site.settings)
    reader = Reader(settings)
    others = reader.others()
    words = [function, event, str(times), KARI, str(settings.home)]
    done = subprocess.run([sys.executable, str(Path(killing.__file__)), *words], check=False)
    assert done.returncode == -signal.SIGKILL
    meanwhile = reader.others()
    assert {name: set(rows) for name, rows in meanwhile.items()} == {name: set(rows) for name, rows in others.items()}

    certificate = str(shop.run("erase", "--subject", KARI))

    assert shop.holding(settings.home, *needles(settings), *ids) == []
    assert reader.others() == others
    assert read_champion(settings.lake, settings.trusted_key) is not None
    assert "nothing found" in shop.run("erasure", "verify", certificate)
    assert not list(Path(settings.lake, "erasures").glob("journal-*"))
    assert {tombstone.sequence for item in manifests(settings) for tombstone in item.erasures} == {1}
