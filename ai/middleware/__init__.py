"""Middleware of the app."""
