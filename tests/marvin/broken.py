"""A module that cannot be imported."""

support = 1 / 0
