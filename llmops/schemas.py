"""The columns of every table in the lake: the whole data contract between stages.

Every table has `row_id` (unique within its artifact, stable across reruns) and `parents` (row ids in the input).
A column that holds a clock of the run is marked volatile and stays outside digests.
"""

import pyarrow as pa

STRINGS = pa.list_(pa.string())
TIME = pa.timestamp("us", tz="UTC")


def volatile(name: str, kind: pa.DataType) -> pa.Field:
    """A column that differs between two runs over equal input, such as the time of fetching."""
    return pa.field(name, kind, metadata={"volatile": "true"})


def is_volatile(field: pa.Field) -> bool:
    """Whether the column stays outside digests."""
    return (field.metadata or {}).get(b"volatile") == b"true"


_ROW = [
    pa.field("row_id", pa.string(), nullable=False),
    pa.field("parents", STRINGS, nullable=False),
]

_DOCUMENT = [
    *_ROW,
    pa.field("source", pa.string(), nullable=False),  # name of the source in the recipe
    pa.field("kind", pa.string(), nullable=False),  # csv, sql, json, xml, html, pdf, text or chat
    pa.field("uri", pa.string(), nullable=False),  # file (relative to the collected root) or address
    pa.field("position", pa.int64(), nullable=False),  # number of the record within `uri`, from 0
    pa.field("event_time", TIME, nullable=False),  # when the row became true, not when it was read
    pa.field("subject_id", pa.string()),  # the person the row is about, if the source says so
    pa.field("keys", STRINGS, nullable=False),  # values that join rows of different sources, such as a SKU
    pa.field("question", pa.string()),
    pa.field("answer", pa.string()),
    pa.field("text", pa.string()),  # knowledge without a question, a candidate for [Context]
]

RAW = pa.schema([*_DOCUMENT, volatile("fetched_at", TIME)])

REDACTED = pa.schema([*_DOCUMENT, pa.field("redactions", STRINGS, nullable=False)])  # types found, one per finding

CLEAN = pa.schema(
    [*_DOCUMENT, pa.field("cluster_id", pa.string(), nullable=False)]
)  # row_id of the near-duplicate keeper

EXAMPLE = pa.schema(
    [
        *_ROW,
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_time", TIME, nullable=False),
        pa.field("subject_id", pa.string()),
        pa.field("is_pair", pa.bool_(), nullable=False),  # False: knowledge only, with empty question and answer
        pa.field("group_id", pa.string(), nullable=False),  # rows of one group never fall into different parts
        pa.field("context", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),  # [Context] … [Question] … [Answer] … ####
        pa.field(
            "messages",
            pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])),
            nullable=False,
        ),
        pa.field("template", pa.string(), nullable=False),  # version of the prompt template
    ]
)

SPLIT = EXAMPLE.append(pa.field("ds", pa.date32(), nullable=False)).append(
    pa.field("part", pa.string(), nullable=False)  # train, validation, test or context
)

ANSWERS = pa.schema(
    [
        *_ROW,
        pa.field("id", pa.string()),  # as the input names the row
        pa.field("answer", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),  # stop or length
        pa.field("prompt_tokens", pa.int32(), nullable=False),
        pa.field("completion_tokens", pa.int32(), nullable=False),
        pa.field("model", pa.string(), nullable=False),  # version of the release that answered
    ]
)

SCREENING = pa.schema(
    [
        *_ROW,
        pa.field("source", pa.string(), nullable=False),  # grammar and family, or a public set
        pa.field("group", pa.string(), nullable=False),  # texts that are much alike: of one template, one document
        pa.field("is_attack", pa.bool_(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)

TOKENS = pa.schema(
    [
        *_ROW,
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_time", TIME, nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("tokenizer", pa.string(), nullable=False),  # fingerprint of the tokenizer that made the ids
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),  # prompt, answer and end token, unpadded
        pa.field("attention_mask", pa.list_(pa.int32()), nullable=False),  # ones, as long as input_ids
        pa.field("prompt_tokens", pa.int32(), nullable=False),  # leading ids that carry no loss
    ]
)

ORDER = pa.schema(
    [
        *_ROW,  # the row that tells of the order, and all rows of the day that do
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_time", TIME, nullable=False),
        pa.field("subject_id", pa.string(), nullable=False),  # the customer, or a pseudonym
        pa.field("order_id", pa.string(), nullable=False),
        pa.field("context", pa.string(), nullable=False),  # the order as it stands in a training context
    ]
)

INTERACTIONS = pa.schema(
    [
        *_ROW,  # row_id: the answer's id; of one answer's rows, the one of the newest day counts
        pa.field("event_time", TIME, nullable=False),  # when the answer was given
        pa.field("feedback_time", TIME),  # when something was last said about it
        pa.field("subject_id", pa.string(), nullable=False),  # pseudonym of whoever asked
        pa.field("model", pa.string(), nullable=False),  # version of the release that answered
        pa.field("template", pa.string(), nullable=False),  # version of the prompt template
        pa.field("has_consent", pa.bool_(), nullable=False),  # False: there is no text
        pa.field("question", pa.string()),
        pa.field("context", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("corrected_answer", pa.string()),
        pa.field("rating", pa.string()),  # good or bad
        pa.field("redactions", STRINGS, nullable=False),  # types found, one per finding
        pa.field("is_trainable", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # why it may train or not, in a word
    ]
)

QUARANTINE = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),  # short name, counted in the manifest
        pa.field("reason", pa.string(), nullable=False),  # a sentence for a person, without the row's text
        pa.field("merged_into", pa.string()),  # row_id of the keeper, for duplicates
        pa.field("uri", pa.string(), nullable=False),  # where the row came from
        pa.field("record", pa.string()),  # the row as the stage met it (JSON, or raw text of an unreadable record)
    ]
)
