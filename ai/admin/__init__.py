"""The admin: one file per noun. Importing the package registers every page."""

from importlib import import_module

NOUNS = (
    "threads",
    "messages",
    "runs",
    "replays",
    "data_sources",
    "feedback",
    "reviews",
    "jobs",
    "notifications",
    "webhooks",
    "webhook_deliveries",
    "connections",
    "conflicts",
    "assistants",
    "language_models",
    "model_routes",
    "api_keys",
    "vector_stores",
    "tenants",
    "people",
    "audit",
    "palette",
)

for _noun in NOUNS:
    import_module(f"{__name__}.{_noun}")
