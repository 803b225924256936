"""Benchmarks: `python -m tests.benchmarks [name…]` prints ratios measured in one run, with the goal beside each.

A benchmark's outer half (here) knows nothing of Django; it builds databases in a temporary folder and starts the inner
half (`tests.benchmarks.inside`) in a process of its own, with that folder as the console's home.
"""
