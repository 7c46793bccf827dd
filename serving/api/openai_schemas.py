"""The bodies of OpenAI's API, as far as they mean something here; what would change the answer otherwise is refused."""

from typing import Annotated, Any, Literal

from pydantic import Field

from serving.schemas import Body, ChatMessage, GenerateRequest, Name, Stop, Text

_SEED_BITS = 2**32


class StreamOptions(Body):
    """How a stream ends."""

    include_usage: bool = False
    """Send a last chunk with the tokens that the answer cost."""


class TextPart(Body):
    """A part of a message."""

    type: Literal["text"]
    text: Text


class OpenAiMessage(Body):
    """One turn; `developer` is what newer clients call `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[TextPart], Field(min_length=1, max_length=20)]
    name: Name | None = None
    """Not used."""

    def turn(self) -> ChatMessage:
        """The turn as `/generate` takes it."""
        text = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        return ChatMessage(role="system" if self.role == "developer" else self.role, content=text)


class _Request(Body):
    model: Name
    """`champion`, `base` or a version."""
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    seed: int | None = None
    """Equal requests with equal seeds get equal answers; its lowest 32 bits count."""
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    user: Name | None = None
    n: Literal[1] | None = None
    """One answer each."""
    frequency_penalty: float | None = Field(None, ge=0, le=0)
    presence_penalty: float | None = Field(None, ge=0, le=0)
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = None

    @property
    def usage(self) -> bool:
        """Whether a stream ends with what it cost."""
        return self.stream_options is not None and self.stream_options.include_usage

    def _common(self, max_new_tokens: int | None) -> dict[str, Any]:
        return {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": 1.0 if self.top_p is None else self.top_p,
            "seed": None if self.seed is None else self.seed % _SEED_BITS,
            "stop": [self.stop] if isinstance(self.stop, str) else self.stop or [],
            "user": self.user,
            "stream": bool(self.stream),
            "max_new_tokens": max_new_tokens,
        }


class ChatRequest(_Request):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[OpenAiMessage], Field(min_length=1, max_length=100)]
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=1_000_000)
    """The newer name of `max_tokens`, which it goes before."""
    context: Text | None = None
    """Knowledge to answer the last question from (not in OpenAI's API)."""
    customer_id: Name | None = None
    """The customer who asks (not in OpenAI's API)."""
    consent: bool = False
    """Whether the exchange may be kept, without personal data (not in OpenAI's API)."""
    logprobs: Literal[False] | None = None
    response_format: dict[Literal["type"], Literal["text"]] | None = None

    def question(self) -> GenerateRequest:
        """The same as `/generate` takes it."""
        longest = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        messages = [message.turn() for message in self.messages]
        extra: dict[str, Any] = {"context": self.context, "customer_id": self.customer_id, "consent": self.consent}
        return GenerateRequest(messages=messages, **extra, **self._common(longest))


class CompletionRequest(_Request):
    """`POST /v1/completions`."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=1)]
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    logprobs: None = None
    suffix: None = None

    def question(self) -> GenerateRequest:
        """The same as `/generate` takes it."""
        prompt = self.prompt if isinstance(self.prompt, str) else self.prompt[0]
        return GenerateRequest(prompt=prompt, **self._common(self.max_tokens))


class ModelCard(Body):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "llmops"


class ModelList(Body):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
