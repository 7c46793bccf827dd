"""One of two customers is erased: nothing of the one is left, all of the other is, and nothing brings the one back."""

import json
from pathlib import Path

import pytest

from llmops import artifacts
from llmops.errors import ConfigurationError, ErasureIncompleteError, Refused, SignatureError
from llmops.publishing.releases import read_champion
from llmops.settings import Settings
from tests.governance.erasure import shop
from tests.governance.erasure.conftest import Site
from tests.governance.erasure.reading import Reader, kari_ids, manifests, needles
from tests.governance.erasure.shop import AS_OF, DAYS, KARI, OLA, PHONE


def erase(*flags: str, subject: str = KARI) -> str:
    return str(shop.run("erase", "--subject", subject, *flags))


def digests_of(settings: Settings) -> dict[str, str]:
    return {manifest.uri: manifest.digest for manifest in manifests(settings)}


def test_nothing_of_the_one_is_left_and_everything_of_the_other(site: Site) -> None:
    settings, names, ids = site.settings, needles(site.settings), kari_ids(site.settings)
    reader = Reader(settings)
    others, digests = reader.others(), digests_of(settings)
    assert len(ids) == 28  # 12 questions and 2 orders on each of two days
    assert len(shop.holding(settings.home, *names)) > 15

    certificate = erase()

    assert shop.holding(settings.home, *names, *ids) == []
    assert reader.others() == others
    assert digests_of(settings) == digests
    assert shop.run("erase", "--subject", KARI, "--search-only") == "nothing found"
    assert "nothing found" in shop.run("erasure", "verify", certificate)


def test_days_without_the_one_and_what_is_not_a_table_stay_untouched(site: Site) -> None:
    untouched = {item.uri: item for item in manifests(site.settings) if item.stage in {"import-model", "tune", "gate"}}

    erase()

    after = {item.uri: item for item in manifests(site.settings)}
    assert {uri: after[uri] for uri in untouched} == untouched


def test_a_rerun_finds_every_table_done_and_trains_the_model_again(site: Site) -> None:
    settings, ids = site.settings, kari_ids(site.settings)
    before = {item.uri: item for item in manifests(settings)}
    erase()
    erased = {item.uri: item for item in manifests(settings)}

    for day in DAYS:
        shop.run_lines(shop.DAILY.partition("store-")[0], site.recipe, settings, day)
    made = shop.run_lines(shop.MODEL.partition("gate ")[0], site.recipe, settings, AS_OF)

    after = {item.uri: item for item in manifests(settings)}
    same = {uri for uri in after if after[uri] == erased[uri]}
    remade = {after[uri].stage for uri in set(after) - same}
    assert remade == {"tune", "finetune", "evaluate"}
    assert made["finetune"].digest != before[made["finetune"].uri].digest
    assert shop.holding(settings.home, *needles(settings), *ids) == []


def test_a_backfill_from_the_sources_restores_nothing(site: Site) -> None:
    settings, ids = site.settings, kari_ids(site.settings)
    erase()

    for day in DAYS:
        collected, *others = [line for line in shop.DAILY.split("\n") if line]
        shop.run_lines(f"{collected} --recollect", site.recipe, settings, day)
        shop.run_lines("\n".join(others), site.recipe, settings, day, "--force")
    shop.run_lines(shop.MODEL.partition("gate ")[0], site.recipe, settings, AS_OF, "--force")

    assert shop.holding(settings.home, *needles(settings), *ids) == []
    raw = artifacts.read(f"{settings.lake}/raw/ds={AS_OF}", "collect")
    assert raw.counts["suppressed"] == 14
    assert raw.suppressed_until == 1
    aside = [row for row in artifacts.read_table(raw, quarantine=True).to_pylist() if row["rule"] == "suppressed"]
    assert {row["record"] for row in aside} == {None}
    assert OLA in artifacts.read_table(raw)["subject_id"].to_pylist()


def test_raw_data_that_comes_back_from_a_backup_gets_no_further(site: Site) -> None:
    settings = site.settings
    raw = Path(settings.lake, f"raw/ds={AS_OF}")
    backup = {path: path.read_bytes() for path in raw.rglob("*") if path.is_file()}
    erase()
    for path, data in backup.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    redact = shop.DAILY.split("\n")[2]
    shop.run_lines(redact, site.recipe, settings, AS_OF, "--force")

    redacted = artifacts.read(f"{settings.lake}/redacted/ds={AS_OF}", "redact")
    assert redacted.counts["suppressed"] == 14
    found = shop.holding(Path(settings.lake), *needles(settings))
    assert found
    assert {name.split("/")[0] for name in found} == {"raw"}
    with pytest.raises(ErasureIncompleteError, match="lake raw/ds=2026-11-03"):
        shop.run("erase", "--subject", KARI, "--search-only")
    erase()
    assert shop.holding(settings.home, *needles(settings)) == []


def test_the_champion_stays_verified_and_is_due_to_be_replaced(site: Site) -> None:
    settings = site.settings
    with pytest.raises(Refused, match="learnt from nobody"):
        shop.run("erasure", "due")

    certificate = json.loads(Path(erase()).read_text())

    champion = read_champion(settings.lake, settings.trusted_key)
    assert champion is not None
    assert certificate["models"]["releases"] == [champion.record.version]
    assert certificate["models"]["adapters"] == [f"adapters/as_of={AS_OF}"]
    assert shop.run("erasure", "due") == AS_OF.isoformat()


def _content(site: Site) -> dict[Path, bytes]:
    """Every file but the log of privileged actions, in which the second erasure stands as well."""
    files = shop.files_in(site.settings.home)
    return {path: path.read_bytes() for path in files if path.parent != site.settings.audit_log.parent}


def test_erasing_twice_changes_nothing_the_second_time(site: Site) -> None:
    first = erase()
    before = _content(site)

    second = erase()

    assert second == first
    assert _content(site) == before


def test_a_person_named_by_a_pseudonym_is_the_same_person(site: Site) -> None:
    ids = kari_ids(site.settings)

    erase(subject=shop.run("erasure", "pseudonym", KARI))

    assert shop.holding(site.settings.home, *needles(site.settings), *ids) == []


def test_a_value_given_with_the_request_is_erased_where_others_mention_it(site: Site) -> None:
    erase("--value", PHONE, subject=OLA)

    assert shop.holding(site.settings.home, PHONE, OLA) == []
    (answer,) = artifacts.read_table(
        artifacts.read(f"{site.settings.lake}/answers/ds={AS_OF}", "generate-batch")
    ).to_pylist()
    assert answer["id"] == KARI


def test_a_common_value_is_refused(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="too common"):
        erase("--value", "1016")


def test_the_name_is_nowhere_in_what_the_erasure_itself_leaves_and_prints(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = erase()

    printed = "".join(capfd.readouterr())
    assert "audit.recorded" in printed
    assert not any(name in printed + Path(uri).read_text() for name in needles(site.settings))


@pytest.mark.parametrize("name", ["suppressed.json", "000001.json"])
def test_an_edited_list_or_certificate_does_not_verify(site: Site, name: str) -> None:
    certificate = erase()
    path = Path(certificate).with_name(name)
    path.write_text(path.read_text().replace('"sequence": 1', '"sequence": 2', 1))

    with pytest.raises(SignatureError):
        shop.run("erasure", "verify", certificate)


def test_an_older_list_put_back_is_noticed_by_the_next_collection(site: Site) -> None:
    erase()
    path = Path(site.settings.lake, "erasures/suppressed.json")
    older = path.read_bytes()
    erase(subject=OLA)
    path.write_bytes(older)

    with pytest.raises(SignatureError, match="ends at 1, but erasure 2"):
        shop.run_lines(f"{shop.DAILY.split(chr(10))[1]} --recollect", site.recipe, site.settings, AS_OF)


def test_an_online_store_that_cannot_be_erased_from_is_refused_before_anything_happens(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "feature_store.yaml").write_text("project: llmops\nonline_store:\n  type: redis\n")
    monkeypatch.setenv("LLMOPS_FEATURE_REPO", str(tmp_path))

    with pytest.raises(ConfigurationError, match="online store is redis"):
        erase()
    assert not Path(site.settings.lake, "erasures").exists()
