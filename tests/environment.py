"""What the computer that runs the tests has."""

import os
import shutil

IN_CI = os.environ.get("CI") == "true"
"""A skip is a failure."""

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
"""Where Chromium is; empty when it is not installed."""
