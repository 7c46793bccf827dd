"""What a usable row is, and when two rows count as the same."""

from pydantic import Field

from llmops.config import StageConfig
from llmops.guards.personal_data import TYPES


class CleanConfig(StageConfig):
    """Configuration of `llmops clean`."""

    min_characters: int = Field(3, ge=1)
    """Shortest question, answer or text that counts as present, in characters after normalising."""
    max_characters: int = Field(20_000, ge=1)
    """Longest question, answer or text; longer rows are set aside."""
    shingle_characters: int = Field(5, ge=2)
    """Length of the character shingles that near-duplicate detection compares."""
    similarity_threshold: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity of the shingle sets from which two rows are near duplicates."""
    permutations: int = Field(128, ge=16)
    """MinHash permutations; more find more candidate pairs and cost more."""
    personal_data_types: tuple[str, ...] = TYPES
    """Kinds of personal data that are looked for once more when texts are in normal form, and replaced by `<TYPE>`."""
    phone_regions: tuple[str, ...] = ("DE", "NO", "GB", "US", "FR")
    """Countries (ISO 3166 alpha-2) whose national phone formats that second look recognises."""
    partitions: int = Field(2, ge=1)
    """Parquet files written, and Spark's shuffle partitions; raise it with the data."""
