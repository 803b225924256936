"""Things that stand in for other things in tests."""
