"""Near-duplicate candidates and their verification."""

import numpy as np

from llmops import similarity


def test_jaccard_equals_a_hand_computed_value() -> None:
    # "abcdef" → abcde, bcdef; "abcdeg" → abcde, bcdeg: one shared of three.
    assert similarity.jaccard("abcdef", "abcdeg") == 1 / 3


def test_case_and_white_space_do_not_count() -> None:
    assert similarity.jaccard("Where  is\nmy order?", "where is my ORDER?") == 1.0


def test_similar_texts_share_a_band_and_unlike_ones_rarely_do() -> None:
    generator = np.random.default_rng(0)
    words = [f"word{number}" for number in range(400)]
    found, wrong = 0, 0
    for _ in range(100):
        base = list(generator.choice(words, 40))
        changed = [*base[:-2], "entirely", "different"]
        other = list(generator.choice(words, 40))
        bands = set(similarity.bands(" ".join(base)))
        if similarity.jaccard(" ".join(base), " ".join(changed)) >= 0.8:
            found += bool(bands & set(similarity.bands(" ".join(changed))))
        else:
            found += 1
        wrong += similarity.jaccard(" ".join(base), " ".join(other)) < 0.3 and bool(
            bands & set(similarity.bands(" ".join(other)))
        )

    assert found >= 99
    assert wrong <= 20
