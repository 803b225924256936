"""Python functions that a model may call.

    from ai import tools

    @tools.register(safe_to_replay=True)
    def opening_hours(city: str) -> str:
        "The shop's opening hours in a city."
        return "9 to 5"

A registered function runs in the worker, with the rights of the worker.
"""

from ai.tools.registry import Registry, Tool, default, register

__all__ = ["Registry", "Tool", "default", "register"]
