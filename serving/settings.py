"""Limits and addresses of the service, from `LLMOPS_SERVING_*`; where the lake is comes from `LLMOPS_*`."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from llmops.settings import Settings
from serving.engines.contract import EngineOptions


class ServingSettings(BaseSettings):
    """Read from the environment once, when the service starts."""

    model_config = SettingsConfigDict(
        env_prefix="LLMOPS_SERVING_", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("LLMOPS_SERVING_PORT", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"),
    )
    """Port to listen on; 0 takes a free one and logs it. If not given, the one that Vertex AI or SageMaker tells."""

    processes: int = Field(1, ge=1)
    """API processes that share the port; with more than one the engine runs in a process of its own. Rates and budgets
    must then be counted in Redis (LLMOPS_ACCESS_LIMIT_STORAGE), and the port is opened when the model is loaded."""

    engine: Literal["openvino", "transformers", "vllm", "remote"] = "openvino"
    """What runs the model: a module in `serving.engines`. `openvino` batches answers on the CPU, `vllm` on GPUs;
    `transformers` gives one after the other and works everywhere; `remote` is any of them in another process."""
    engine_socket: Path | None = None
    """Where that process listens (`python -m serving.processes.engine SOCKET`)."""
    tokenizer_socket: Path | None = None
    """Where a third process listens that tokenises (`… SOCKET --tokenizer-only`); the engine's does, if not given."""
    own_tokenizer: bool = False
    """Whether the API process tokenises by itself though its engine is in another one: the engine's event loop is
    spared, and this process takes half a gigabyte more."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of the engine; as many as its library thinks right, if not given."""
    cache_gib: int = Field(1, ge=1)
    """Memory for the key-value cache of each model on the CPU."""
    gpu_cache_gib: int | None = Field(None, ge=1)
    """Memory for the key-value cache on each GPU, where something else needs the card as well; all that is free, if not
    given."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs that share one model."""
    quantization: Literal["none", "fp8"] = "none"
    """Weights of the base model on the GPU: bfloat16 as they are, or 8 bits."""
    lora_rank: int = Field(16, ge=1, le=512)
    """Highest rank of a release's adapter on the GPU; a higher one makes every answer slower."""
    speculative_tokens: int = Field(0, ge=0, le=16)
    """Tokens that the engine on the GPU guesses at once from what stands in the prompt (prompt lookup), and keeps if
    they are right: faster for few answers at once that repeat their context, slower under full load; 0 for none."""
    follow_seconds: float = Field(2.0, gt=0)
    """How often the service looks whether another release was named."""

    input_guard: Literal["refuse", "log"] = "refuse"
    """What happens to a request whose text reads like an attempt to take the model over: it is refused, or answered and
    noted in the log."""
    injection_scorer: str | None = None
    """A heavier model that is asked about each text as well, as `package.module:function`: it takes a text and gives
    a score of 0 to 1, from 0.5 on an attempt to take the model over. One that fails lets nothing through."""
    allowed_hosts: frozenset[str] = frozenset()
    """Hosts that links in answers may lead to, as a JSON list; other links are broken."""
    allowed_values: frozenset[str] = frozenset()
    """E-mail addresses and phone numbers that answers may hold, the shop's own, as a JSON list."""
    phone_regions: tuple[str, ...] = ("DE", "GB", "US")
    """Regions whose phone numbers are known without country code, as a JSON list."""

    customer_context: bool = True
    """Whether a request may name a customer, whose recent orders then become part of the context; reads Feast."""
    customer_context_characters: int = Field(1_200, ge=0)
    """Most of them that go into the context."""

    max_prompt_characters: int = Field(8_000, ge=1, le=1_000_000)
    """Longest prompt, all messages and the context together; more is answered 413 before anything is tokenised."""
    max_prompt_tokens: int = Field(1_024, ge=1)
    """Longest prompt in tokens, template included; more is answered 422."""
    max_new_tokens_limit: int = Field(512, ge=1)
    """Longest answer that a request may ask for."""
    queue_size: int = Field(32, ge=1)
    """Requests that run or wait at once; more are answered 503 at once. Of several API processes each takes its part,
    rounded up."""
    request_timeout_seconds: float = Field(60.0, gt=0)
    """Time from admission to the end of an answer, waiting included; generation then stops, and the request is
    answered 503, or its stream ends with an error."""

    interactions: Path | None = None
    """Folder of what users said and how they rated it, redacted, on this machine; `interactions` in LLMOPS_HOME, if not
    given."""
    redaction_processes: int = Field(1, ge=1)
    """Processes, for each API process, that take personal data out of it: each some 50 exchanges a second; what they
    cannot keep up with is dropped and counted."""

    platform: Settings = Field(default_factory=Settings)
    """Where the lake is and which key releases must verify against."""

    @property
    def interactions_folder(self) -> Path:
        """Where interactions are kept."""
        return self.interactions or self.platform.home / "interactions"

    @property
    def engine_options(self) -> EngineOptions:
        """What the engine is told."""
        return EngineOptions(
            threads=self.threads,
            cache_gib=self.cache_gib,
            gpu_cache_gib=self.gpu_cache_gib,
            tensor_parallel=self.tensor_parallel,
            quantization=self.quantization,
            lora_rank=self.lora_rank,
            speculative_tokens=self.speculative_tokens,
            socket=self.engine_socket,
            tokenizer_socket=self.tokenizer_socket,
            own_tokenizer=self.own_tokenizer,
        )
