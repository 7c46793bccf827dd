"""What is known of the customer who asks: recent orders out of Feast's online store, as context for the answer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from llmops.errors import LlmopsError
from llmops.features.online import read_customer_context
from serving.errors import ServiceError
from serving.settings import ServingSettings

_NOBODY = "-"
log = structlog.get_logger()


class Customers:
    """Reads beside the event loop, with one thread of its own."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="customers")
        self._problem: str | None = None if settings.customer_context else "this service reads no customers' data"

    async def open(self) -> None:
        """Do what is slow once (Feast takes seconds to import); without a store, say so in the log and go on."""
        if self._problem is None:
            try:
                await self._read(_NOBODY)
            except LlmopsError as error:
                self._problem = "customers' data cannot be read now"
                log.warning("customers.unavailable", **{"error.message": str(error)})

    async def context(self, customer_id: str) -> str:
        """The customer's orders, newest first, as many as fit; empty for a customer without any.

        Raises ServiceError when they cannot be read: an answer that misses them would be a wrong one.
        """
        if self._problem is None:
            try:
                lines = await self._read(customer_id) or []
            except LlmopsError as error:
                log.warning("customers.unavailable", **{"error.message": str(error)})
                raise ServiceError(503, "no_customer_data", "customers' data cannot be read now") from error
            return _fitting(lines, self._settings.customer_context_characters)
        raise ServiceError(503, "no_customer_data", f"{self._problem}; ask without customer_id")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False)

    async def _read(self, customer_id: str) -> list[str] | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, read_customer_context, self._settings.platform, customer_id)


def _fitting(lines: list[str], characters: int) -> str:
    """The first lines that have room together; whole ones only."""
    kept = ""
    for line in lines:
        longer = f"{kept}\n{line}" if kept else line
        if len(longer) > characters:
            break
        kept = longer
    return kept
