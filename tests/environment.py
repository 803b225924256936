"""What the computer that runs the tests has."""

import os
import shutil
from pathlib import Path

IN_CI = os.environ.get("CI") == "true"
"""A skip is a failure."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
"""Where Chromium is; empty when it is not installed."""

_INSTALLED = (".venv-openai-1/openai-1.txt", ".venv-openai-2/openai-2.txt", ".venv-marvin-2/marvin-2.txt")
CLIENTS = all(
    Path(__file__).parents[1].joinpath(name).exists()
    for name in (*_INSTALLED, ".node-contract/node_modules/package.json")
)
"""Whether `make contract-clients` has installed the SDKs that the contract tests speak through."""
