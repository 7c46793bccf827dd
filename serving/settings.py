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

    engine: Literal["openvino", "transformers", "vllm", "remote"] = "openvino"
    """What runs the model: a module in `serving.engines`. `openvino` batches answers on the CPU, `vllm` on GPUs;
    `transformers` gives one after the other and works everywhere; `remote` is any of them in another process."""
    engine_socket: Path | None = None
    """Where that process listens (`python -m serving.engine_server SOCKET`)."""
    tokenizer_socket: Path | None = None
    """Where a third process listens that tokenises (`… SOCKET --tokenizer-only`); the engine's does, if not given."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of the engine; as many as its library thinks right, if not given."""
    cache_gib: int = Field(1, ge=1)
    """Memory for the key-value cache of each model on the CPU."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs that share one model."""
    quantization: Literal["none", "fp8"] = "none"
    """Weights of the base model on the GPU: bfloat16 as they are, or 8 bits."""
    follow_seconds: float = Field(2.0, gt=0)
    """How often the service looks whether another release was named."""

    max_prompt_characters: int = Field(8_000, ge=1, le=1_000_000)
    """Longest prompt, all messages and the context together; more is answered 413 before anything is tokenised."""
    max_prompt_tokens: int = Field(1_024, ge=1)
    """Longest prompt in tokens, template included; more is answered 422."""
    max_new_tokens_limit: int = Field(512, ge=1)
    """Longest answer that a request may ask for."""
    queue_size: int = Field(32, ge=1)
    """Requests that run or wait at once; more are answered 503 at once."""
    request_timeout_seconds: float = Field(60.0, gt=0)
    """Time from admission to the end of an answer, waiting included; generation then stops, and the request is
    answered 503, or its stream ends with an error."""

    platform: Settings = Field(default_factory=Settings)
    """Where the lake is and which key releases must verify against."""

    @property
    def engine_options(self) -> EngineOptions:
        """What the engine is told."""
        return EngineOptions(
            threads=self.threads,
            cache_gib=self.cache_gib,
            tensor_parallel=self.tensor_parallel,
            quantization=self.quantization,
            socket=self.engine_socket,
            tokenizer_socket=self.tokenizer_socket,
        )
