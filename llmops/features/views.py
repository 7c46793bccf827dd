"""The two feature views: what each is called, whose rows it holds, and what its log under the lake looks like.

A log is a folder of Parquet files, append-only: Feast's offline source of the view.
"""

from dataclasses import dataclass

import pyarrow as pa

from llmops import artifacts, schemas


@dataclass(frozen=True, eq=False)
class View:
    """A Feast feature view and its log."""

    name: str
    keys: tuple[str, ...]
    """Join keys."""
    features: tuple[str, ...]
    """The first one is never null in a row that is there."""
    log: pa.Schema
    """Columns of the log: keys, features, stamps, and `content`, a digest of what the row says."""

    def log_uri(self, lake: str) -> str:
        """Folder of the log's Parquet files."""
        return artifacts.join(lake, "feature_store", self.name)


def _required(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


TRAINING = View(
    name="llm_training_features",
    keys=("example_id", "tokenizer"),
    features=("token_ids", "attention_mask", "prompt_tokens", "part", "source", "template"),
    log=_required(
        ("example_id", pa.string()),
        ("tokenizer", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("attention_mask", pa.list_(pa.int32())),
        ("prompt_tokens", pa.int32()),
        ("part", pa.string()),
        ("source", pa.string()),
        ("template", pa.string()),
        ("event_timestamp", schemas.TIME),  # event time, plus 1 us per earlier version
        ("created", schemas.TIME),  # when the row was appended
        ("content", pa.string()),  # digest of everything but `created`
    ),
)
"""Token ids of each example under each tokenizer: what models are trained on."""

CUSTOMERS = View(
    name="customer_recent_orders",
    keys=("customer_id",),
    features=("order_ids", "orders"),
    log=_required(
        ("customer_id", pa.string()),  # subject_id of the rows: the shop's id, or a pseudonym
        ("order_ids", schemas.STRINGS),  # newest first, as `orders`
        ("orders", schemas.STRINGS),  # as they stand in a context
        ("event_timestamp", schemas.TIME),  # event time of the newest order; later than the customer's row before
        ("created", schemas.TIME),  # when the row was appended
        ("content", pa.string()),  # digest of customer, ids and texts
    ),
)
"""The last orders of each customer, all days together: what the service tells the model about who asks."""
