"""The console's settings without the `ai` app: the same Django, the same Unfold, an admin of accounts alone."""

from console.settings import *
from console.settings import INSTALLED_APPS, MIDDLEWARE, UNFOLD

INSTALLED_APPS = [app for app in INSTALLED_APPS if not app.startswith("ai.")]
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("ai.")]
UNFOLD = {name: value for name, value in UNFOLD.items() if "ai." not in repr(value)}
FIRST_PARTY_APPS = []
ROOT_URLCONF = "tests.benchmarks.plain_urls"
