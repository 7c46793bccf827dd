"""The bodies of requests and answers: strict types, bounds on every field, unknown fields refused."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from llmops.annotation import prompts
from serving.engines.contract import FinishReason

_MAX_CHARACTERS = 1_000_000
_MAX_MESSAGES = 100
_MAX_STOPS = 4

Text = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_CHARACTERS, pattern=r"\S")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\w.:@/+-]+$")]
"""A model, a customer or a user."""
Stop = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Body(BaseModel):
    """The base of everything that is sent and answered."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class ChatMessage(Body):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class GenerateRequest(Body):
    """A question, alone (`prompt`) or as a conversation (`messages`)."""

    prompt: Text | None = None
    """A customer's question."""
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=_MAX_MESSAGES)] | None = None
    """A conversation that ends with the user's turn; a system message may open it and replaces the model's."""
    context: Text | None = None
    """Knowledge to answer the last question from."""
    max_new_tokens: int | None = Field(None, ge=1, le=1_000_000)
    """Longest answer in tokens; the release's default, if not given."""
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    """0 is greedy, higher is more varied; the release's default, if not given."""
    top_p: float = Field(1.0, gt=0, le=1, allow_inf_nan=False)
    """Sample from the likeliest tokens that together have this probability."""
    seed: int | None = Field(None, ge=0, lt=2**32)
    """Equal requests with equal seeds get equal answers; drawn afresh, if not given."""
    stop: Annotated[list[Stop], Field(max_length=_MAX_STOPS)] = []
    """Texts before which the answer ends."""
    model: Name = "champion"
    """`champion` for what was released, `base` for the untuned model it was made from, or a version's name."""
    user: Name | None = None
    """Who asks, where one key serves many: the same user keeps the same model while two are compared."""
    customer_id: Name | None = None
    """The customer who asks: the most recent orders become part of the context."""
    consent: bool = False
    """Whether the exchange may be kept, without personal data, to improve the model."""
    stream: bool = False
    """Send the answer as it is made, as server-sent events."""

    @model_validator(mode="after")
    def _check_conversation(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either `prompt` or `messages`")
        if self.messages is not None:
            turns = [item.role for item in self.messages[self.messages[0].role == "system" :]]
            expected = ["user" if place % 2 == 0 else "assistant" for place in range(len(turns))]
            if not turns or turns != expected or turns[-1] != "user":
                raise ValueError("`messages` must alternate between user and assistant and end with user")
        return self

    @property
    def texts(self) -> list[str]:
        """Everything that becomes part of the prompt."""
        given = [self.prompt, self.context, *(item.content for item in self.messages or ())]
        return [text for text in given if text]

    @property
    def question(self) -> str:
        """What is asked: the prompt, or the last turn."""
        return self.messages[-1].content if self.messages else str(self.prompt)

    def conversation(self, system: str) -> list[prompts.Message]:
        """The messages to render; `system` opens those that bring no system message of their own.

        Only the template opens sections, and `system`, which is the release's: nothing that the caller sends does.
        """
        given = [prompts.Message(role=item.role, content=prompts.defuse(item.content)) for item in self.messages or ()]
        if given and given[0]["role"] == "system":
            system, given = given[0]["content"], given[1:]
        question = given.pop()["content"] if given else str(self.prompt)
        opening, last = prompts.chat_messages(system, question, self.context or "")
        return [opening, *given, last]


class FeedbackRequest(Body):
    """What the reader of an answer says about it; `user` and `customer_id` are those that the question named."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,64}$")]
    """The answer's id."""
    rating: Literal["good", "bad"] | None = None
    """Whether it helped."""
    corrected_answer: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    """What the answer should have been."""
    consent: bool
    """Whether the question, the answer and this may be kept, without personal data, to improve the model. The last word
    counts: `false` also withdraws what was agreed to with the question."""
    user: Name | None = None
    customer_id: Name | None = None

    @model_validator(mode="after")
    def _say_something(self) -> Self:
        if self.rating is None and not (self.corrected_answer and self.corrected_answer.strip()):
            raise ValueError("give a `rating`, a `corrected_answer`, or both")
        return self


class FeedbackReceipt(Body):
    """That it was heard."""

    status: Literal["received"] = "received"


class Usage(Body):
    """Tokens that an answer cost."""

    prompt_tokens: int
    completion_tokens: int


class GenerateResponse(Body):
    """An answer, without the prompt."""

    id: str
    """Names this answer in logs and feedback."""
    answer: str
    model: str
    """Version that answered."""
    finish_reason: FinishReason
    """The model ended its turn or came to a stop text, or the longest answer was reached."""
    usage: Usage


class Problem(Body):
    """What went wrong."""

    type: str
    """Fixed name, for programs."""
    message: str
    """Sentence with the remedy, for people."""
    request_id: str
    """Names this request in logs."""


class ErrorResponse(Body):
    """The shape of every error."""

    error: Problem


class Health(Body):
    """Whether the process lives."""

    status: Literal["alive"] = "alive"


class Readiness(Body):
    """What is ready to answer."""

    status: Literal["ready"] = "ready"
    model: str
    """Version of the release that is served."""
