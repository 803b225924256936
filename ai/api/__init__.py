"""The HTTP API with the Assistants wire format: each view parses, calls one service, and translates the outcome."""
