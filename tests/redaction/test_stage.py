"""Everything planted in the sample shop is gone after `redact`, and nothing else."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llmops import artifacts, recipe, schemas
from llmops.annotation.config import AnnotateConfig
from llmops.annotation.stage import make_examples
from llmops.collection.config import CollectConfig
from llmops.collection.stage import collect_sources
from llmops.errors import ConfigurationError
from llmops.manifest import Manifest
from llmops.redaction.config import RedactConfig
from llmops.redaction.stage import redact_rows
from llmops.settings import Settings
from llmops.signing import create_keys

PLANTED = json.loads(Path("tests/examples_planted.json").read_text(encoding="utf-8"))
PLANTED_TYPES = {item["type"] for item in PLANTED["personal_data"]}
DAYS = [date(2026, 11, day) for day in range(2, 10)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[date, tuple[Manifest, Manifest]]:
    """Raw and redacted artifacts of every day."""
    lake = tmp_path_factory.mktemp("lake")
    settings = Settings(home=lake)  # without keys: customers of the shop have numbers
    quickstart = recipe.load(Path("recipes/quickstart.toml"))
    made = {}
    for day in DAYS:
        raw = collect_sources(
            "examples/shop", f"{lake}/raw/ds={day}", config=quickstart.collect, day=day, settings=settings
        )
        redacted = redact_rows(raw.uri, f"{lake}/redacted/ds={day}", config=quickstart.redact, settings=settings)
        made[day] = (raw, redacted)
    return made


def text_of(manifest: Manifest) -> str:
    """All texts of an artifact in one."""
    rows = artifacts.read_table(manifest, columns=["question", "answer", "text"]).to_pylist()
    return "\n".join(value for row in rows for value in row.values() if value)


@pytest.mark.parametrize("planted", PLANTED["personal_data"], ids=lambda item: item["type"])
def test_planted_value_is_collected_and_then_gone(
    shop: dict[date, tuple[Manifest, Manifest]], planted: dict[str, str]
) -> None:
    raw, redacted = shop[date.fromisoformat(planted["file"].split("/")[2])]

    assert planted["value"] in text_of(raw)
    assert planted["value"] not in text_of(redacted)


@pytest.mark.parametrize("planted", PLANTED["look_alikes"], ids=lambda item: item["value"])
def test_look_alike_stays(shop: dict[date, tuple[Manifest, Manifest]], planted: dict[str, str]) -> None:
    _, redacted = shop[date.fromisoformat(planted["file"].split("/")[2])]

    assert planted["value"] in text_of(redacted)


def test_each_redaction_stands_for_a_planted_value(shop: dict[date, tuple[Manifest, Manifest]]) -> None:
    redactions = sum(
        count
        for _, redacted in shop.values()
        for name, count in redacted.counts.items()
        if name.removeprefix("redacted_").upper() in PLANTED_TYPES
    )

    # Two order notes come again in the export of a later day.
    assert len(PLANTED["personal_data"]) <= redactions <= len(PLANTED["personal_data"]) + 2


def row(row_id: str, **values: Any) -> dict[str, Any]:
    """A row of `schemas.RAW`."""
    empty = dict.fromkeys(schemas.RAW.names)
    origin = {"source": "s", "kind": "json", "uri": "s.jsonl", "position": 0, "parents": [], "keys": []}
    moment = datetime(2026, 11, 2, tzinfo=UTC)
    return {**empty, **origin, "row_id": row_id, "event_time": moment, "fetched_at": moment, **values}


def redact(rows: Sequence[dict[str, Any]], settings: Settings) -> dict[str, dict[str, Any]]:
    """Rows as a run of `redact` leaves them, by row id."""
    collected = artifacts.begin(f"{settings.lake}/raw", stage="collect", version=1, config=CollectConfig(sources=()))
    collected.write_table(pa.Table.from_pylist(list(rows), schema=schemas.RAW), schemas.RAW).commit()
    with artifacts.recomputing():
        made = redact_rows(
            f"{settings.lake}/raw", f"{settings.lake}/redacted", config=RedactConfig(), settings=settings
        )
    return {found["row_id"]: found for found in artifacts.read_table(made).to_pylist()}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    create_keys(settings=settings)
    return settings


def test_a_key_with_personal_data_is_dropped(settings: Settings) -> None:
    found = redact([row("1", text="t", keys=["kari@example.org", "O-7"])], settings)

    assert found["1"]["keys"] == ["O-7"]


def test_a_subject_with_personal_data_becomes_an_hmac(settings: Settings) -> None:
    settings.pseudonym_key.write_text(bytes(range(32)).hex())

    found = redact([row("1", text="t", subject_id="Kari@Example.org "), row("2", subject_id="C-7")], settings)

    # The first digits of: printf kari@example.org | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1e1f
    assert found["1"]["subject_id"] == "<EMAIL:11e49ce69f307e91>"
    assert found["1"]["redactions"] == ["EMAIL"]
    assert (found["2"]["subject_id"], found["2"]["redactions"]) == ("C-7", [])


def test_forms_of_one_subject_are_one_person(settings: Settings) -> None:
    forms = ["åse@example.org", "ÅSE@example.org", " åse@example.org", "a\u030ase@example.org", "åse＠example.org"]

    found = redact([row(str(number), subject_id=form) for number, form in enumerate(forms)], settings)

    assert len({item["subject_id"] for item in found.values()}) == 1


def test_people_named_by_addresses_never_share_a_context(settings: Settings) -> None:
    order = row("order", text="Order O-7 of one tent is shipped.", keys=["TENT"], subject_id="kari@example.org")
    question = {"question": "Is order O-7 of one tent shipped?", "answer": "Yes.", "keys": ["TENT"]}
    hers = row("hers", subject_id="Kari@example.org", **question)
    his = row("his", subject_id="ola@example.org", **question)

    redacted = redact([order, hers, his], settings)

    examples = {item["row_id"]: item for item in make_examples(list(redacted.values()), AnnotateConfig())}
    assert examples["hers"]["context"] == "Order O-7 of one tent is shipped."
    assert examples["his"]["context"] == ""


def test_equal_keys_give_equal_pseudonyms_and_others_do_not(settings: Settings, tmp_path: Path) -> None:
    rows = [row("1", subject_id="kari@example.org")]
    before, again = redact(rows, settings), redact(rows, settings)
    settings.pseudonym_key.unlink()
    create_keys(settings=settings)
    after = redact(rows, settings)

    assert before["1"]["subject_id"] == again["1"]["subject_id"] != after["1"]["subject_id"]


def test_a_missing_key_is_named_with_the_remedy(settings: Settings) -> None:
    settings.pseudonym_key.unlink()

    with pytest.raises(ConfigurationError, match=r"pseudonym\.key: .*run `llmops create-keys`"):
        redact([row("1", subject_id="kari@example.org")], settings)


@pytest.mark.parametrize("content", [b"", b"no key", b"\xff", b"0123"])
def test_a_damaged_key_is_not_used(settings: Settings, content: bytes) -> None:
    settings.pseudonym_key.write_bytes(content)

    with pytest.raises(ConfigurationError, match="restore it"):
        redact([row("1", subject_id="kari@example.org")], settings)


@pytest.mark.parametrize("regions", [("DE", "UK"), ("de",), ("",)])
def test_a_region_that_no_phone_number_has_is_refused(regions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="ISO 3166"):
        RedactConfig(phone_regions=regions)


def test_looking_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="types"):
        RedactConfig(types=())


def test_rows_with_a_quarantined_type_are_set_aside_without_it(settings: Settings) -> None:
    token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    rows = [row("1", text=f"I used {token}, mail kari@example.org"), row("2", text="Where is it? ola@example.org")]
    raw, target = f"{settings.lake}/raw", f"{settings.lake}/redacted"
    collected = artifacts.begin(raw, stage="collect", version=1, config=CollectConfig(sources=()))
    collected.write_table(pa.Table.from_pylist(rows, schema=schemas.RAW), schemas.RAW).commit()

    made = redact_rows(raw, target, config=RedactConfig(quarantined_types=("SECRET",)), settings=settings)

    aside = artifacts.read_table(made, quarantine=True).to_pylist()
    assert artifacts.read_table(made)["text"].to_pylist() == ["Where is it? <EMAIL>"]
    assert [(item["row_id"], item["rule"]) for item in aside] == [("1", "personal_data")]
    assert "I used <SECRET>, mail <EMAIL>" in aside[0]["record"]
    report = json.loads(Path(f"{target}/{made.names('.json')[0]}").read_text())
    assert (report["SECRET"]["action"], report["SECRET"]["findings"], report["SECRET"]["rows"]) == ("quarantine", 1, 1)
    assert (report["EMAIL"]["action"], report["EMAIL"]["rows_by_source"]) == ("redact", {"s": 2})
    assert report["IBAN"]["findings"] == 0


def test_a_type_that_is_not_looked_for_cannot_be_set_aside() -> None:
    with pytest.raises(ValueError, match="SECRET: is not looked for"):
        RedactConfig(types=("EMAIL",), quarantined_types=("SECRET",))


def test_equal_values_and_texts_stay_equal_on_other_days(settings: Settings) -> None:
    text = "Kari Nordmann, kari@example.org, paid with 4111 1111 1111 1111."

    first = redact([row("1", text=text), row("2", text=f"{text} {text}")], settings)
    again = redact([row("3", text=text)], settings)

    assert first["1"]["text"] == again["3"]["text"] == "<PERSON>, <EMAIL>, paid with <CARD>."
    assert first["2"]["text"] == f"{first['1']['text']} {first['1']['text']}"
