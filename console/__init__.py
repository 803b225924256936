"""The Django project: wiring only. What the console does lives in `ai`."""
