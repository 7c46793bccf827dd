"""A published lake and servers, as the service's own tests have them."""

from tests.publishing import conftest as publishing
from tests.serving import conftest as serving

adapter_folder, empty_store = publishing.adapter_folder, publishing.empty_store
published, settings = serving.published, serving.settings
