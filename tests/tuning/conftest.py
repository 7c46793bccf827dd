"""The fixtures of tests/training, where they are explained."""

from tests.training.conftest import _one_thread, features, tokenizer, tuning

__all__ = ["_one_thread", "features", "tokenizer", "tuning"]
