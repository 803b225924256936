"""Comments on messages: writing them, settling them, reading them, and whom they mention."""
