"""The home of LLM conversations in a Django project: threads, messages, files, runs, and the console that staff work in."""
