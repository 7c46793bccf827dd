"""`serving.serverless.handler.handler`: what Lambda is told to call.

Importing this module loads the model, with settings from the environment: Lambda imports it once, at a cold start,
and calls the handler for every event that reaches the environment afterwards.
"""

from llmops import logs
from serving.serverless.function import Function
from serving.settings import ServingSettings

_settings = ServingSettings()
logs.configure(_settings.platform.log_format)
handler = Function(_settings)
