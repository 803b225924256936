"""Triage of feedback: from what somebody said to work that somebody owns and finishes."""
