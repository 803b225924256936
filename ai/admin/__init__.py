"""The admin: one file per noun. Importing the package registers every page that exists."""

from importlib import import_module
from importlib.util import find_spec

NOUNS = (
    "threads",
    "messages",
    "runs",
    "replays",
    "data_sources",
    "feedback",
    "jobs",
    "assistants",
    "language_models",
    "tenants",
    "people",
    "audit",
    "palette",
)

for _noun in NOUNS:
    if find_spec(f"{__name__}.{_noun}"):
        import_module(f"{__name__}.{_noun}")
