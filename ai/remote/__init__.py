"""The remote sides of threads: one port, an adapter for each kind, and what two versions of a conversation differ in."""
