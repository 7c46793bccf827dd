"""An answer id says whom the answer was given to, and nobody without the secret can make one."""

import hashlib
import hmac
import secrets
from collections.abc import Callable

import pytest

from llmops.monitoring.interactions import answer_ids

KEY = bytes(range(32))
SECRET = answer_ids.derive_secret(KEY)
KARI, OLA = "<SUBJECT:00000000000000aa>", "<SUBJECT:00000000000000bb>"


def test_secret_is_the_one_of_rfc_5869() -> None:
    extracted = hmac.new(bytes(32), KEY, hashlib.sha256).digest()  # section 2.2, no salt
    expanded = hmac.new(extracted, b"llmops answer ids 1" + b"\x01", hashlib.sha256).digest()  # section 2.3

    assert expanded == SECRET


def test_id_belongs_to_whom_it_was_made_for_and_to_nobody_else() -> None:
    made = answer_ids.make(SECRET, KARI)

    assert answer_ids.belongs_to(SECRET, made, KARI)
    assert not answer_ids.belongs_to(SECRET, made, OLA)
    assert not answer_ids.belongs_to(SECRET, made, "")
    assert not answer_ids.belongs_to(answer_ids.derive_secret(bytes(32)), made, KARI)


def test_id_with_any_bit_changed_is_refused() -> None:
    made = int(answer_ids.make(SECRET, KARI), 16)

    changed = [f"{made ^ (1 << bit):064x}" for bit in range(256)]

    assert not any(answer_ids.belongs_to(SECRET, forged, KARI) for forged in changed)


def test_parts_of_two_real_ids_make_no_third() -> None:
    first, second = answer_ids.make(SECRET, KARI), answer_ids.make(SECRET, KARI)

    assert not answer_ids.belongs_to(SECRET, first[:32] + second[32:], KARI)


def test_guesses_are_refused() -> None:
    assert not any(answer_ids.belongs_to(SECRET, secrets.token_hex(32), KARI) for _ in range(10_000))


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made[:0],
        lambda made: made[:-1],
        lambda made: made + "\n",
        lambda made: " " + made[1:],
        str.upper,
        lambda made: "ä" + made[1:],
        lambda made: made.translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)}),  # full-width digits
        lambda made: made * 2,
    ],
)
def test_other_spellings_of_an_id_are_refused(change: Callable[[str], str]) -> None:
    made = answer_ids.make(SECRET, KARI)

    assert change(made) != made
    assert not answer_ids.belongs_to(SECRET, change(made), KARI)


def test_ids_do_not_repeat() -> None:
    assert len({answer_ids.make(SECRET, KARI) for _ in range(10_000)}) == 10_000
