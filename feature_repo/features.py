"""What the feature store holds: two views.

`llm_training_features` are the token ids that models are trained on, `customer_recent_orders` what the service tells
the model about the customer who asks.

Applied by the deployment, never by a task:

    LLMOPS_LAKE="$PWD/.llmops/lake" feast --chdir feature_repo apply --skip-source-validation

The source of each is a folder of Parquet files that `llmops materialize` and `llmops materialize-customers` append to;
before their first run it is empty, hence the flag. `feast apply` changes into this folder, so the lake's path must be
absolute.
"""

from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Int32, String

from llmops.errors import ConfigurationError
from llmops.features.views import CUSTOMERS, TRAINING, View
from llmops.settings import Settings

lake = Settings().lake
if "://" not in lake:
    if not Path(lake).is_absolute():
        raise ConfigurationError(f'LLMOPS_LAKE is {lake!r}; set it to an absolute path, such as "$PWD/.llmops/lake"')
    for view in (TRAINING, CUSTOMERS):
        Path(view.log_uri(lake)).mkdir(parents=True, exist_ok=True)


def log_of(view: View) -> FileSource:
    """The view's log as Feast reads it."""
    return FileSource(
        name=f"{view.name}_log",
        path=view.log_uri(lake),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )


example = Entity(
    name="example",
    join_keys=["example_id"],
    value_type=ValueType.STRING,
    description="A question with its answer: row_id of the training example.",
)
tokenizer = Entity(
    name="tokenizer",
    join_keys=["tokenizer"],
    value_type=ValueType.STRING,
    description="Fingerprint of the tokenizer: ids of one tokenizer mean nothing to a model with another.",
)
customer = Entity(
    name="customer",
    join_keys=["customer_id"],
    value_type=ValueType.STRING,
    description="Who a row is about: subject_id, the shop's own id or, where that is personal data, a pseudonym.",
)

llm_training_features = FeatureView(
    name=TRAINING.name,
    entities=[example, tokenizer],
    schema=[
        Field(name="token_ids", dtype=Array(Int32), description="Prompt, answer and end token, unpadded."),
        Field(name="attention_mask", dtype=Array(Int32), description="Ones, as long as token_ids."),
        Field(name="prompt_tokens", dtype=Int32, description="Leading ids that carry no loss."),
        Field(name="part", dtype=String, description="train, validation or test."),
        Field(name="source", dtype=String, description="Name of the source in the recipe."),
        Field(name="template", dtype=String, description="Version of the prompt template."),
        Field(name="example_id", dtype=String),
        Field(name="tokenizer", dtype=String),
    ],
    source=log_of(TRAINING),
    ttl=timedelta(0),  # unlimited: an example does not go stale
    online=True,  # read by `llmops show-features` and by the parity check of every materialization
)

customer_recent_orders = FeatureView(
    name=CUSTOMERS.name,
    entities=[customer],
    schema=[
        Field(name="order_ids", dtype=Array(String), description="The orders that changed last, newest first."),
        Field(name="orders", dtype=Array(String), description="Each as it would stand in a training context."),
        Field(name="customer_id", dtype=String),
    ],
    source=log_of(CUSTOMERS),
    ttl=timedelta(0),  # unlimited: the reader is told how old a row is and decides
    online=True,  # read by the service for every request that names a customer
)
