"""Database engines: Django's own, where something has to be put right."""
