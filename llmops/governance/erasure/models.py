"""Which models learnt from a person: adapters trained on a table that lost rows, and the releases of those."""

from llmops import artifacts
from llmops.governance.erasure.certificate import ModelVersions
from llmops.governance.erasure.lake_files import Lake
from llmops.governance.erasure.person import Person
from llmops.manifest import Manifest
from llmops.publishing import releases

_TRAINED_ON = "materialize"


def find_models(person: Person, lake_uri: str, sequence: int) -> ModelVersions:
    """Adapters and releases that had the person in their training set, whatever part of it.

    Looks at rows that are there still and at the tombstones of `sequence`, so it may be called before an erasure and
    after one. A release whose training set was replaced since it was made cannot be told: it is `untraceable`.
    """
    lake = Lake(lake_uri)
    made = lake.data_artifacts()
    sets = [item for item in made if item.stage == _TRAINED_ON]
    affected = {item.digest for item in sets if sequence in item.losses or _holds(item, person)}
    adapters = [item for item in made if item.stage == "finetune" and affected & {one.digest for one in item.inputs}]
    records = [releases.read_record(item) for item in made if item.stage == "publish"]
    known = {item.digest for item in sets}
    return ModelVersions(
        adapters=tuple(sorted(lake.below(item.uri) for item in adapters)),
        releases=tuple(sorted(record.version for record in records if record.features in affected)),
        untraceable=tuple(sorted(record.version for record in records if record.features not in known)),
    )


def _holds(features: Manifest, person: Person) -> bool:
    rows = artifacts.read_table(features, columns=["row_id", "parents"]).to_pylist()
    return any(person.concerns(row) for row in rows)
