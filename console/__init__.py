"""The Django project around the app: settings, addresses, servers. Wiring only."""

import os

# Installed beside pydantic-ai, Logfire's plugin would be imported with the first pydantic model: 0.4 s of every start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "logfire-plugin")
