"""Made-up conversations in any number, for benchmarks and tests of scale."""
