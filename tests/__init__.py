"""The tests: one folder per layer, and `house`, `contract`, `journeys` and `benchmarks` beside them."""
