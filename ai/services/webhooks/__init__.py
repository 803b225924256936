"""Webhooks: which there are, what they are told, and the telling itself."""
