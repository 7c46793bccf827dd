"""The prompt template: the one rendering of question and context that training and serving share.

An annotated prompt is plain text for people and for models without a chat template:

    [Context]
    …
    [Question]
    …
    [Answer]
    …
    ####

Chat models get the same as messages, rendered by their own chat template. Text from outside never opens or closes a
section and never becomes a control token: see `defuse` and `encode_prompt`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypedDict

TEMPLATE = "support-2"
"""Version of this template; a model trained on one version is served with the same one."""

END = "####"
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+")
_MARKERS = re.compile(r"\[(?=\s*(?:context|question|answer)\s*\])|#(?=###)", re.IGNORECASE)


class Message(TypedDict):
    """One chat message; `role` is system, user or assistant."""

    role: str
    content: str


def defuse(text: str) -> str:
    """Text whose section markers no longer read as markers: `[Answer]` → `(Answer]`, `####` → `#·###`."""
    return _MARKERS.sub(lambda match: "(" if match.group() == "[" else "#\u00b7", text)


def shorten(text: str, characters: int) -> str:
    """A piece of knowledge as it stands in a context, in training and in serving.

    As many whole sentences as fit; of a first sentence that is too long, as many whole words.
    """
    if len(text) <= characters:
        return text
    kept = ""
    for sentence in _SENTENCE_END.split(text):
        longer = f"{kept} {sentence}".strip()
        if len(longer) > characters:
            break
        kept = longer
    return kept or text[:characters].rsplit(" ", 1)[0]


def annotate(question: str, answer: str, context: str = "") -> str:
    """The annotated prompt; sections without text are left out."""
    sections = (("[Context]", context), ("[Question]", question), ("[Answer]", answer))
    lines = [f"{marker}\n{defuse(text)}" for marker, text in sections if text]
    return "\n".join([*lines, END])


def chat_messages(system: str, question: str, context: str = "") -> list[Message]:
    """The conversation up to the point where the assistant answers; `system` is trusted and stays as it is."""
    asked = defuse(question)
    user = f"[Context]\n{defuse(context)}\n[Question]\n{asked}" if context else asked
    return [Message(role="system", content=system), Message(role="user", content=user)]


def encode_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of the conversation and of the opening of the assistant's turn, by the tokenizer's chat template.

    `tokenizer` is a transformers tokenizer. Control tokens written out in a message are broken up first, so that only
    the template itself produces special ids.
    """
    safe = [Message(role=item["role"], content=_break_up(item["content"], tokenizer)) for item in messages]
    text = tokenizer.apply_chat_template(safe, add_generation_prompt=True, tokenize=False)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def encode_answer(tokenizer: Any, answer: str) -> list[int]:
    """Token ids of an answer, closed by the end token that stops generation."""
    ids: list[int] = tokenizer(_break_up(answer, tokenizer), add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id]


def _break_up(text: str, tokenizer: Any) -> str:
    """Put a space after the first character of every control token that stands in the text; drop those in disguise."""
    pattern = _control_tokens(tokenizer, len(tokenizer))
    if pattern is None:
        return text
    text = pattern.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)
    return _without_disguised(text, tokenizer) if _is_normalising(tokenizer) else text


def _is_normalising(tokenizer: Any) -> bool:
    """Whether tokens are looked for in another spelling of the text: full width, zero width or case may hide them."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and backend.normalizer is not None


def _without_disguised(text: str, tokenizer: Any) -> str:
    """The text without what its normalised form reads as control tokens; each round is shorter, so it ends."""
    control = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    while True:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        places = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        spans = [span for token, span in places if token in control and span[0] < span[1]]
        if not spans:
            return text
        for start, end in reversed(spans):
            text = text[:start] + text[end:]


@lru_cache(maxsize=4)
def _control_tokens(tokenizer: Any, _: int) -> re.Pattern[str] | None:
    """What matches any of them, the longest first; made anew when the tokenizer has grown (the second argument)."""
    tokens = [token for token in {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()} if token.strip()]
    return re.compile("|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True))) if tokens else None
