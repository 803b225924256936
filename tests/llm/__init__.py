"""Tests of `ai.llm`."""
