"""A recipe for the sample shop that trains a tiny model within seconds."""

from pathlib import Path

MODEL_PART = """
[import_model]
base_model = "{model}"
licence = "Apache-2.0"
[tune]
trials = 2
tokens_per_trial = 800
learning_rate_low = 3e-3
learning_rate_high = 2e-2
[finetune]
max_tokens = 12_000
batch_size = 2
[evaluate]
generated_examples = 46
max_new_tokens = 16
[publish]
max_new_tokens = 8
"""


def shop_recipe(model: Path) -> str:
    """The quickstart's sources with a model folder and small budgets."""
    sources, _, _ = Path("recipes/quickstart.toml").read_text().partition("[import_model]")
    return sources + MODEL_PART.format(model=model)
