"""Journeys of people through the console in a real browser, against `make run`'s own processes."""
